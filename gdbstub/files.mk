host-src += gdbstub/packet.c

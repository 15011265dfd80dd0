shared-src += recorder/ring.c recorder/emit.c
host-src   += recorder/capture.c recorder/transport.c

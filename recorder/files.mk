shared-src += recorder/ring.c recorder/emit.c

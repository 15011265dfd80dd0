shared-src += vmx/tables.c

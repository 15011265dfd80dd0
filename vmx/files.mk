shared-src += vmx/tables.c vmx/caps.c

shared-src += vmx/tables.c vmx/caps.c vmx/cpuid.c vmx/bits.c vmx/qual.c vmx/value_text.c vmx/vmcs12.c vmx/vmcs_area.c

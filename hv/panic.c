#include "hv/panic.h"

#include "base/fmt.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/percpu.h"
#include "hv/record_end.h"
#include "vmx/tables.h"

_Noreturn void panic_at(const char *file, int line, const char *format, ...)
{
	static struct percpu *panicking;
	struct percpu *cpu = percpu_this(), *first = NULL;
	char text[200];
	va_list args;

	va_start(args, format);
	fmt_va(text, sizeof(text), format, args);
	va_end(args);
	log_take_serial();
	log_print("panic at %s:%d: %s", file, line, text);
	/* A second panic comes from what the first one tried: leave that out. */
	if (__atomic_compare_exchange_n(&panicking, &first, cpu, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		record_panic(cpu, text);
	else if (first != cpu)
		halt_forever();
	record_power_off();
}

_Noreturn void vmcs_access_failed(u32 field, bool write)
{
	const int index = vmcs_field_index(field);

	panic("%s of %s (0x%x) failed", write ? "VMWRITE" : "VMREAD",
	      index < 0 ? "an unknown field" : vmcs_fields[index].name, field);
}

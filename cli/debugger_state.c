#include "cli/debugger_state.h"

#include <stdio.h>
#include <string.h>

/* What its registers do not print, or of the first processor only, its tree of parameters has. */
static const struct {
	const char *object;
	struct {
		const char *name, *key; /* in the text, in the answer */
	} values[5];
} parameters[] = {
	{ "cpu%u.CR0", { { "CR0", "CR0" } } },
	{ "cpu%u.CR2", { { "CR2", "CR2" } } },
	{ "cpu%u.CR3", { { "CR3", "CR3" } } },
	{ "cpu%u.CR4", { { "CR4", "CR4" } } },
	{ "cpu%u.DR0", { { "DR0", "DR0" } } },
	{ "cpu%u.DR1", { { "DR1", "DR1" } } },
	{ "cpu%u.DR2", { { "DR2", "DR2" } } },
	{ "cpu%u.DR3", { { "DR3", "DR3" } } },
	{ "cpu%u.DR6", { { "DR6", "DR6" } } },
	{ "cpu%u.DR7", { { "DR7", "DR7" } } },
	{ "cpu%u.ES", { { "es.base", "base" } } },
	{ "cpu%u.CS", { { "cs.base", "base" } } },
	{ "cpu%u.SS", { { "ss.base", "base" } } },
	{ "cpu%u.DS", { { "ds.base", "base" } } },
	{ "cpu%u.FS", { { "fs.base", "base" } } },
	{ "cpu%u.GS", { { "gs.base", "base" } } },
	{ "cpu%u.LDTR", { { "ldtr.base", "base" } } },
	{ "cpu%u.TR", { { "tr.base", "base" } } },
	{ "cpu%u.MSR",
	  { { "EFER", "EFER" },
	    { "pat", "pat" },
	    { "sysenter_cs", "sysenter_cs_msr" },
	    { "sysenter_esp", "sysenter_esp_msr" },
	    { "sysenter_eip", "sysenter_eip_msr" } } },
	{ "cpu%u.VMX.VMCS_CACHE.VMEXEC_CTRLS",
	  { { "cr0.mask", "vm_cr0_mask" },
	    { "cr0.shadow", "vm_cr0_read_shadow" },
	    { "cr4.mask", "vm_cr4_mask" },
	    { "cr4.shadow", "vm_cr4_read_shadow" } } },
};

/* "show": the object's name has a place for the number of the processor. */
static enum status show(struct debugger *debugger, const char *object, unsigned cpu)
{
	char name[64], command[80];

	snprintf(name, sizeof(name), object, cpu);
	snprintf(command, sizeof(command), "show \"%s\"", name);
	return debugger_ask(debugger, command);
}

static enum status read_parameters(struct debugger *debugger, unsigned cpu, FILE *to)
{
	enum status status = ST_OK;
	u64 value;

	for (size_t i = 0; i < ARRAY_SIZE(parameters) && status == ST_OK; i++) {
		status = show(debugger, parameters[i].object, cpu);
		for (size_t k = 0; k < ARRAY_SIZE(parameters[i].values); k++)
			if (status == ST_OK && parameters[i].values[k].name &&
			    bochs_text_parameter(debugger->text, parameters[i].values[k].key,
						 &value))
				fprintf(to, "%s=0x%llx\n", parameters[i].values[k].name,
					(unsigned long long)value);
	}
	return status;
}

/* What commands are about from here on. */
static enum status look(struct debugger *debugger, unsigned cpu)
{
	char command[40];

	if (debugger->cpus == 1)
		return ST_OK;
	snprintf(command, sizeof(command), BOCHS_LOOK "%u", cpu);
	return debugger_ask(debugger, command);
}

enum status debugger_look(struct debugger *debugger, unsigned cpu)
{
	debugger->cpu = cpu;
	return look(debugger, cpu);
}

enum status debugger_read_registers(struct debugger *debugger, unsigned cpu, char *to, size_t size)
{
	static const char *const commands[] = { "r", "sreg" };
	FILE *const file = fmemopen(to, size, "w");
	enum status status = file ? look(debugger, cpu) : ST_NO_MEMORY;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && status == ST_OK; i++) {
		status = debugger_ask(debugger, commands[i]);
		if (status == ST_OK)
			fputs(debugger->text, file);
	}
	if (status == ST_OK)
		status = read_parameters(debugger, cpu, file);
	if (status == ST_OK)
		status = look(debugger, debugger->cpu);
	/* Without room for all of it nothing is told. */
	if (file && fclose(file) && status == ST_OK)
		status = ST_NO_SPACE;
	return status;
}

enum status debugger_in_guest(struct debugger *debugger, unsigned cpu, bool *in_guest)
{
	static const char key[] = "in_vmx_guest = ";
	const enum status status = show(debugger, "cpu%u.VMX.in_vmx_guest", cpu);
	const char *const found = status == ST_OK ? strstr(debugger->text, key) : NULL;

	if (!found)
		return status == ST_OK ? ST_NOT_FOUND : status;
	*in_guest = !strncmp(found + sizeof(key) - 1, "true", 4);
	return ST_OK;
}

enum status debugger_write_memory(struct debugger *debugger, const char *path)
{
	char command[4200];

	snprintf(command, sizeof(command), BOCHS_MEMORY "%s", path);
	return debugger_ask(debugger, command);
}

#include "hv/kick.h"

#include "hv/ap_start.h"
#include "hv/apic.h"
#include "hv/ept.h"
#include "hv/insn.h"
#include "hv/processor.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "vmx/tables.h"

/* TSC ticks: how often, and for how long a processor looks whether EPT01 changed. */
#define LOOK_TICKS 20000
#define LOOK_FOR   30000000

/* One NMI for each time that @kicks of another processor becomes other than 0. */
void kick_one(struct percpu *cpu, enum kick kick)
{
	/* A SIPI is what makes the guest exit there, and is ignored everywhere else. */
	if (kick == KICK_END)
		apic_send(cpu->apic_id, APIC_STARTUP);
	if (__atomic_load_n(&cpu->parked, __ATOMIC_SEQ_CST))
		return;
	if (!__atomic_fetch_or(&cpu->kicks, kick, __ATOMIC_SEQ_CST) || kick == KICK_END)
		apic_send(cpu->apic_id, APIC_NMI);
}

void kick_others(enum kick kick)
{
	for (unsigned id = 0; id < percpu_count(); id++)
		if (percpu_of(id) != percpu_this() &&
		    !__atomic_load_n(&percpu_of(id)->finished, __ATOMIC_ACQUIRE))
			kick_one(percpu_of(id), kick);
}

static bool has_timer(void)
{
	return processor_controls(VMX_WORD_PIN, PIN_PREEMPTION_TIMER) & PIN_PREEMPTION_TIMER;
}

void kick_flush_others(void)
{
	for (unsigned id = 0; has_timer() && id < percpu_count(); id++)
		if (percpu_of(id) != percpu_this())
			__atomic_store_n(&percpu_of(id)->ept01_stale, true, __ATOMIC_SEQ_CST);
	if (!has_timer())
		kick_others(KICK_EPT01);
}

void kick_expect_flush(struct percpu *cpu)
{
	if (!has_timer() || cpu->hw != &cpu->vmcs01)
		return;
	cpu->look_until = rdtsc() + LOOK_FOR;
	vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE, processor_timer(LOOK_TICKS));
}

void kick_look(struct percpu *cpu)
{
	if (!cpu->look_until || (s64)(cpu->look_until - cpu->exit.tsc) > 0)
		return;
	cpu->look_until = 0;
	vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE, record_heartbeat_timer());
}

bool kick_is_own_nmi(struct percpu *cpu)
{
	if (likely(!__atomic_exchange_n(&cpu->kicks, 0, __ATOMIC_SEQ_CST)))
		return false;
	cpu->kicked = true;
	return true;
}

void kick_take_nmi(struct percpu *cpu)
{
	if (!kick_is_own_nmi(cpu))
		cpu->nmi_pending = true;
}

void kick_answer(struct percpu *cpu)
{
	cpu->kicked = false;
	if (record_is_ending())
		record_join_end(cpu);
	ept01_flush();
	if (!cpu->id)
		ap_start_again();
}

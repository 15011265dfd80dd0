/*
 * What a glance tells of a VMX instruction, against a run from the start.
 */
#include "tests/replay/timeline_tapes.h"

#include "replay/glance.h"

static void assert_same_place(const char *name, u64 n, const struct model_place *a,
			      const struct model_place *b)
{
	assert_row(name, a->kind, b->kind);
	if (!a->kind)
		return;
	assert_row(name, a->cpu, b->cpu);
	if (a->seq != b->seq)
		fail_msg("%s: @%llu: seq %llu, not %llu", name, (unsigned long long)n,
			 (unsigned long long)a->seq, (unsigned long long)b->seq);
}

static void assert_same_vmcs(const char *name, u64 n, u8 kind, const struct model_region *a,
			     const struct model_region *b)
{
	assert_row(name, a == NULL, b == NULL);
	if (!a)
		return;
	assert_row(name, a->launch, b->launch);
	if (glance_wants_launch(kind, b))
		assert_same_place(name, n, &a->launch_place, &b->launch_place);
	assert_row(name, a->dword0_known, b->dword0_known);
	assert_row(name, a->dword0, b->dword0);
	for (int i = 0; i < VMCS_FIELD_COUNT; i++) {
		assert_row(vmcs_fields[i].name, a->known[i], b->known[i]);
		assert_row(vmcs_fields[i].name, a->value[i] & a->known[i],
			   b->value[i] & b->known[i]);
	}
}

static void assert_same(const char *name, u64 n, const struct model *a, const struct model *b,
			u16 cpu, u8 kind)
{
	const struct model_cpu *const x = &a->cpus[cpu], *const y = &b->cpus[cpu];

	assert_memory_equal(&a->shown, &b->shown, sizeof(a->shown));
	for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
		assert_same_place(name, n, &a->cap_read[i], &b->cap_read[i]);
	assert_row(name, x->in_vmx, y->in_vmx);
	assert_row(name, x->vmxon_known, y->vmxon_known);
	assert_row(name, x->vmxon_pointer, y->vmxon_pointer);
	assert_row(name, x->current_known, y->current_known);
	assert_row(name, x->current, y->current);
	assert_same_place(name, n, &x->vmxon_place, &y->vmxon_place);
	assert_same_vmcs(name, n, kind, x->region, y->region);
}

static void assert_same_writer(const struct timeline_tape *tape, struct reader *looker,
			       struct reader *reader, u64 n, u64 vmcs, u64 random)
{
	struct history_question a = { .index = (int)(random % VMCS_FIELD_COUNT) }, b;
	struct history *history;

	a.mask = random & 1 ? MASK(31, 0) : ~0ull;
	b = a;
	assert_int_equal(glance_answer(looker, n, vmcs, &a), ST_OK);
	history = history_new(reader, vmcs, b.index, n);
	assert_int_equal(history_answer(history, &b), ST_OK);
	history_free(history);
	assert_row(tape->name, a.found, b.found);
	if (!a.found)
		return;
	assert_row(tape->name, a.write.place.n, b.write.place.n);
	assert_row(tape->name, a.write.origin, b.write.origin);
	assert_row(tape->name, a.write.value, b.write.value);
}

/* How many of the instructions of the tape are told by a glance, in percent. */
static unsigned compare(const struct timeline_tape *tape)
{
	struct reader *const reader = timeline_read(tape, 32),
			     *const looker = timeline_read(tape, 32),
			     *const third = timeline_read(tape, 32);
	struct model *const run = model_new();
	const struct trace_event *event;
	u64 told = 0, asked = 0, random = 3, n;

	reader_seek(looker, reader_info(looker)->events);
	while ((n = reader_tell(reader)) < reader_info(reader)->events &&
	       reader_next(reader, &event) == ST_OK) {
		if (n > 256 && trace_event_is_insn(event) && test_random(&random) % 4 == 0) {
			const u16 cpu = event->cpu;
			const u8 kind = event->kind;
			struct model *model;

			asked++;
			if (glance_model(looker, n, &model) == ST_OK) {
				told++;
				assert_same(tape->name, n, model, run, cpu, kind);
				if (model->cpus[cpu].region && told % 8 == 0)
					assert_same_writer(tape, looker, third, n,
							   model->cpus[cpu].current,
							   test_random(&random));
				model_free(model);
			}
		}
		assert_int_equal(model_step(run, event, n), ST_OK);
	}
	model_free(run);
	reader_close(third);
	reader_close(looker);
	reader_close(reader);
	return asked ? (unsigned)(100 * told / asked) : 0;
}

static void a_glance_tells_what_a_run_does(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TIMELINE_TAPES; i++)
		compare(&timeline_tapes[i]);
}

/* Where CPUs don't hand VMCSs to each other, nothing is missing and blocks are many. */
static void most_instructions_need_no_run(void **state)
{
	static const unsigned simple[] = { 0, 8, 9 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(simple); i++)
		assert_true(compare(&timeline_tapes[simple[i]]) >= 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_glance_tells_what_a_run_does),
		cmocka_unit_test(most_instructions_need_no_run),
	};

	return cmocka_run_group_tests(tests, timeline_make_tapes, timeline_free_tapes);
}

/*
 * tui/view_capabilities.c - VMX capabilities: what the processor has, what L1 is shown, and what
 * it had read of them before the event under the cursor
 */
#include <stdio.h>

#include "tui/app_parts.h"
#include "vmx/bits.h"

#define NAME_WIDTH   36
#define COLUMN_WIDTH 10

static void put_msr(struct lines *lines, const struct model *model, unsigned cap)
{
	const bool real = model->real.known & BIT(cap), shown = model->shown.known & BIT(cap);
	const bool same = real && shown && model->real.msr[cap] == model->shown.msr[cap];
	const struct model_place *const read = &model->cap_read[cap];

	lines_add(lines);
	lines_put(lines, STYLE_PLAIN, "  %s", vmx_msr_name(MSR_VMX_BASIC + cap));
	lines_pad(lines, NAME_WIDTH);
	if (real)
		lines_put(lines, STYLE_PLAIN, "%016llx", (unsigned long long)model->real.msr[cap]);
	else
		lines_put(lines, STYLE_LABEL, "?");
	lines_pad(lines, NAME_WIDTH + 18);
	if (shown)
		lines_put(lines, same ? STYLE_PLAIN : STYLE_CHANGED, "%016llx",
			  (unsigned long long)model->shown.msr[cap]);
	else
		lines_put(lines, STYLE_LABEL, "?");
	lines_pad(lines, NAME_WIDTH + 36);
	if (model_place_is(read)) {
		lines_put(lines, STYLE_LINK, "@c%u:%llu", read->cpu, (unsigned long long)read->seq);
		lines_event(lines, read->n);
	} else {
		lines_put(lines, STYLE_LABEL, "not yet");
	}
}

static const char *setting(const struct vmx_caps *caps, unsigned word, u64 mask)
{
	if (!(caps->known & BIT(vmx_caps_ruling(caps, (enum vmx_word)word))))
		return "?";
	if (vmx_caps_must_be_1(caps, (enum vmx_word)word) & mask)
		return "must";
	return vmx_caps_may_be_1(caps, (enum vmx_word)word) & mask ? "may" : "no";
}

static void put_setting(struct lines *lines, const char *name, const char *real, const char *shown,
			const char *title)
{
	const bool same = !strcmp(real, shown);

	lines_add(lines);
	lines_put(lines, same ? STYLE_PLAIN : STYLE_CHANGED, "  %s", name);
	lines_pad(lines, NAME_WIDTH);
	lines_put(lines, STYLE_PLAIN, "%s", real);
	lines_pad(lines, NAME_WIDTH + COLUMN_WIDTH);
	lines_put(lines, same ? STYLE_PLAIN : STYLE_CHANGED, "%s", shown);
	lines_pad(lines, NAME_WIDTH + 2 * COLUMN_WIDTH);
	lines_put(lines, STYLE_LABEL, "%s", title);
}

static void put_words(struct lines *lines, const struct model *model)
{
	for (unsigned word = 0; word < VMX_WORD_COUNT; word++) {
		lines_add(lines);
		lines_title(lines, "%s: can be 1", vmx_control_words[word].title);
		for (unsigned i = 0; i < VMX_CONTROL_COUNT; i++) {
			const struct vmx_control *const control = &vmx_controls[i];

			if (control->word == word)
				put_setting(lines, control->name,
					    setting(&model->real, word, BIT(control->bit)),
					    setting(&model->shown, word, BIT(control->bit)),
					    control->title);
		}
	}
}

static void bit_text(const struct vmx_caps *caps, const struct vmx_capbit *bit, char *to,
		     size_t size)
{
	if (!(caps->known & BIT(bit->cap)))
		snprintf(to, size, "?");
	else
		snprintf(to, size, "%llu",
			 (unsigned long long)BITS(caps->msr[bit->cap], bit->high, bit->low));
}

static void put_bits(struct lines *lines, const struct model *model)
{
	lines_add(lines);
	lines_title(lines, "other capabilities");
	for (unsigned i = 0; i < VMX_CAPBIT_COUNT; i++) {
		char real[24], shown[24];

		bit_text(&model->real, &vmx_capbits[i], real, sizeof(real));
		bit_text(&model->shown, &vmx_capbits[i], shown, sizeof(shown));
		put_setting(lines, vmx_capbits[i].name, real, shown, vmx_capbits[i].title);
	}
}

static void make(struct app *app, struct view *view)
{
	const struct model *const model = timeline_model(app->timeline);
	struct lines *const lines = &view->lines;

	lines_title(lines, "capability MSRs");
	lines_pad(lines, NAME_WIDTH);
	lines_put(lines, STYLE_TITLE, "real");
	lines_pad(lines, NAME_WIDTH + 18);
	lines_put(lines, STYLE_TITLE, "shown to L1");
	lines_pad(lines, NAME_WIDTH + 36);
	lines_put(lines, STYLE_TITLE, "read by L1");
	for (unsigned cap = 0; cap < VMX_CAP_COUNT; cap++)
		put_msr(lines, model, cap);
	lines_add(lines);
	lines_add(lines);
	lines_put(lines, STYLE_LABEL,
		  "  below: real, then shown to L1; 'must' be 1, 'may' be 1, or 'no'");
	put_words(lines, model);
	put_bits(lines, model);
}

const struct view_ops view_capabilities_ops = { .make = make, .moment = true, .wide = true };

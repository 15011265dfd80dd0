#include "tui/view.h"

#include "tui/app_parts.h"

#define TAB_COLUMNS 8 /* that left and right scroll */

void view_select(struct view *view, size_t line)
{
	view->selected = view->lines.count ? MIN(line, view->lines.count - 1) : 0;
}

const struct line *view_line(const struct view *view)
{
	return view->selected < view->lines.count ? &view->lines.list[view->selected] : NULL;
}

/* Make the lines where they are out of date. */
static void refresh(struct app *app, struct view *view)
{
	if (!view->ops->make ||
	    (view->made && !view->stale && (!view->ops->moment || view->n == app->n)))
		return;
	lines_clear(&view->lines);
	if (!view->ops->moment || app_seek(app) || view->ops->stateless) {
		view->ops->make(app, view);
	} else {
		lines_add(&view->lines);
		lines_put(&view->lines, STYLE_LABEL,
			  "the state here is known when the tape has an index");
	}
	if (view->lines.no_memory) {
		view->lines.no_memory = false;
		lines_add(&view->lines);
		lines_put(&view->lines, STYLE_WARNING, "more does not fit here");
	}
	view->made = true;
	view->stale = false;
	view->n = app->n;
	view_select(view, view->selected);
}

static void keep_in_sight(struct view *view)
{
	const size_t rows = MAX(view->rows, 1u);

	if (view->top > view->selected)
		view->top = view->selected;
	if (view->selected >= view->top + rows)
		view->top = view->selected - rows + 1;
	if (view->top + rows > view->lines.count)
		view->top = view->lines.count > rows ? view->lines.count - rows : 0;
}

void view_draw(struct app *app, struct view *view, const struct area *area, bool active)
{
	struct area line = *area;

	if (view->columns != area->columns)
		view->stale = true;
	view->rows = area->rows;
	view->columns = area->columns;
	refresh(app, view);
	keep_in_sight(view);
	for (unsigned row = 0; row < area->rows && view->top + row < view->lines.count; row++) {
		const bool selected = active && view->top + row == view->selected;

		line.flags = selected ? CELL_SELECTED | CELL_ACTIVE : 0;
		if (selected)
			draw_blank(&line, row, STYLE_PLAIN);
		lines_draw(&view->lines, view->top + row, &line, row, view->left);
	}
}

bool view_find(struct view *view, const char *text, bool backward)
{
	const size_t count = view->lines.count;

	for (size_t i = 1; i <= count; i++) {
		const size_t at = (view->selected + (backward ? count - i : i)) % count;

		if (lines_contain(&view->lines, at, text)) {
			view_select(view, at);
			return true;
		}
	}
	return false;
}

bool view_request(struct app *app, struct view *view, enum request request, u64 count)
{
	const size_t page = MAX(view->rows, 1u), half = MAX(page / 2, (size_t)1);
	const size_t times = MAX(count, 1ull);
	size_t step = 0;
	bool back = false;

	refresh(app, view);
	switch (request) {
	case REQUEST_DOWN:
	case REQUEST_UP:
		step = times;
		back = request == REQUEST_UP;
		break;
	case REQUEST_HALF_DOWN:
	case REQUEST_HALF_UP:
		step = half * times;
		back = request == REQUEST_HALF_UP;
		break;
	case REQUEST_PAGE_DOWN:
	case REQUEST_PAGE_UP:
		step = page * times;
		back = request == REQUEST_PAGE_UP;
		break;
	case REQUEST_FIRST:
		view_select(view, count ? count - 1 : 0);
		return true;
	case REQUEST_LAST:
		view_select(view, count ? count - 1 : view->lines.count);
		return true;
	case REQUEST_LEFT:
		view->left -= MIN(view->left, TAB_COLUMNS);
		return true;
	case REQUEST_RIGHT:
		view->left = MIN(view->left + TAB_COLUMNS, GRID_MAX_COLUMNS);
		return true;
	default:
		return view->ops->request && view->ops->request(app, view, request, count);
	}
	if (back)
		view_select(view, view->selected - MIN(view->selected, step));
	else
		view_select(view, view->selected + MIN(step, view->lines.count));
	return true;
}

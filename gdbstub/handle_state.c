/*
 * gdbstub/handle_state.c - packets about registers and memory
 */
#include <string.h>

#include "gdbstub/gdb_commands.h"
#include "gdbstub/gdb_regs.h"

#define EFAULT_REPLY 14
#define EROFS_REPLY  30

/* What is not known is a row of x: gdb shows <unavailable>. */
static void put_register(struct gdb_session *session, unsigned number)
{
	const struct gdb_reg_info reg = gdb_reg_info(number);
	u64 value;

	if (reg.bits <= 64 &&
	    session->ops->read_register(session->target, session->general, number, &value))
		gdb_packet_put_hex(&session->out, &value, reg.bits / 8);
	else
		for (unsigned i = 0; i < reg.bits / 4u; i++)
			gdb_packet_put_text(&session->out, "x");
}

/* The fields of the VMCS are left out: gdb asks for one when it needs it. */
void gdb_packet_read_registers(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	for (unsigned i = 0; i < GDB_REG_VMCS; i++)
		put_register(session, i);
}

void gdb_packet_read_register(struct gdb_session *session, const struct gdb_args *args)
{
	if (args->numbers[0] < GDB_REG_COUNT)
		put_register(session, (unsigned)args->numbers[0]);
	else
		gdb_session_error(session, 22);
}

void gdb_packet_read_memory(struct gdb_session *session, const struct gdb_args *args)
{
	u8 bytes[GDB_PACKET_MAX / 2];
	const size_t wanted = MIN(args->numbers[1], sizeof(bytes));
	const size_t known = session->ops->read_memory(session->target, session->general,
						       args->numbers[0], bytes, wanted);

	if (wanted && !known)
		gdb_session_error(session, EFAULT_REPLY);
	else
		gdb_packet_put_hex(&session->out, bytes, known);
}

/* What happened has happened. gdb prints the text, other clients take numbers only. */
static void refuse(struct gdb_session *session)
{
	if (session->swbreak)
		gdb_packet_put_text(&session->out, "E.what was recorded cannot be changed");
	else
		gdb_session_error(session, EROFS_REPLY);
}

void gdb_packet_read_only(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	refuse(session);
}

/* gdb tries whether it can write binary data by writing none. */
void gdb_packet_write_nothing(struct gdb_session *session, const struct gdb_args *args)
{
	if (args->numbers[1])
		refuse(session);
	else
		gdb_packet_put_text(&session->out, "OK");
}

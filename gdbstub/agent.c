#include "gdbstub/agent.h"

#define MAX_STACK 64
#define MAX_STEPS 10000

enum agent_op {
#define AGENT_OP(name, code, operand, takes) AGENT_##name = (code),
#include "gdbstub/agent_ops.def"
#undef AGENT_OP
};

static const struct {
	bool is_known;
	u8 operand, takes;
} rows[] = {
#define AGENT_OP(name, code, operand, takes) [code] = { true, operand, takes },
#include "gdbstub/agent_ops.def"
#undef AGENT_OP
};

struct machine {
	const struct agent_place *place;
	const u8 *code;
	size_t size, at;
	u64 stack[MAX_STACK];
	unsigned depth;
};

static u64 pop(struct machine *machine)
{
	return machine->stack[--machine->depth];
}

static enum status push(struct machine *machine, u64 value)
{
	if (machine->depth == MAX_STACK)
		return ST_INVALID;
	machine->stack[machine->depth++] = value;
	return ST_OK;
}

static enum status push_memory(struct machine *machine, size_t size)
{
	const struct agent_place *const place = machine->place;
	u8 bytes[sizeof(u64)] = { 0 };
	u64 value = 0;

	if (place->ops->read_memory(place->target, place->thread, pop(machine), bytes, size) !=
	    size)
		return ST_NOT_FOUND;
	for (size_t i = 0; i < size; i++)
		value |= (u64)bytes[i] << 8 * i;
	return push(machine, value);
}

static enum status push_register(struct machine *machine, unsigned number)
{
	const struct agent_place *const place = machine->place;
	u64 value;

	return place->ops->read_register(place->target, place->thread, number, &value)
		       ? push(machine, value)
		       : ST_NOT_FOUND;
}

static u64 shift_right_signed(u64 value, u64 count)
{
	const u64 sign = value >> 63 ? ~0ull : 0;

	if (count > 63)
		return sign;
	return count ? value >> count | sign << (64 - count) : value;
}

/* The smallest number divided by -1 is itself here, as it is with gdb's arithmetic modulo 2^64. */
static u64 divide_signed(u64 a, u64 b, bool rest)
{
	if (b == ~0ull)
		return rest ? 0 : 0 - a;
	return (u64)(rest ? (s64)a % (s64)b : (s64)a / (s64)b);
}

static enum status divide(struct machine *machine, u8 op, u64 a, u64 b)
{
	if (!b)
		return ST_INVALID;
	if (op == AGENT_DIV_SIGNED || op == AGENT_REM_SIGNED)
		return push(machine, divide_signed(a, b, op == AGENT_REM_SIGNED));
	return push(machine, op == AGENT_DIV_UNSIGNED ? a / b : a % b);
}

/* Operations on two values, @b from the top. */
static enum status combine(struct machine *machine, u8 op)
{
	const u64 b = pop(machine), a = pop(machine);

	switch (op) {
	case AGENT_ADD:
		return push(machine, a + b);
	case AGENT_SUB:
		return push(machine, a - b);
	case AGENT_MUL:
		return push(machine, a * b);
	case AGENT_LSH:
		return push(machine, b > 63 ? 0 : a << b);
	case AGENT_RSH_SIGNED:
		return push(machine, shift_right_signed(a, b));
	case AGENT_RSH_UNSIGNED:
		return push(machine, b > 63 ? 0 : a >> b);
	case AGENT_BIT_AND:
		return push(machine, a & b);
	case AGENT_BIT_OR:
		return push(machine, a | b);
	case AGENT_BIT_XOR:
		return push(machine, a ^ b);
	case AGENT_EQUAL:
		return push(machine, a == b);
	case AGENT_LESS_SIGNED:
		return push(machine, (s64)a < (s64)b);
	case AGENT_LESS_UNSIGNED:
		return push(machine, a < b);
	default:
		return divide(machine, op, a, b);
	}
}

/* The lowest @bits bits of the top, with the sign or zeros above. */
static enum status extend(struct machine *machine, u64 bits, bool sign)
{
	u64 value = pop(machine);

	if (!bits || bits > 64)
		return ST_INVALID;
	value <<= 64 - bits;
	return push(machine, sign ? shift_right_signed(value, 64 - bits) : value >> (64 - bits));
}

static enum status rearrange(struct machine *machine, u8 op, u64 operand)
{
	u64 *const top = machine->stack + machine->depth;
	u64 value;

	switch (op) {
	case AGENT_SWAP:
		value = top[-1];
		top[-1] = top[-2];
		top[-2] = value;
		return ST_OK;
	case AGENT_ROT:
		value = top[-1];
		top[-1] = top[-2];
		top[-2] = top[-3];
		top[-3] = value;
		return ST_OK;
	case AGENT_POP:
		pop(machine);
		return ST_OK;
	case AGENT_DUP:
		return push(machine, top[-1]);
	default:
		return operand < machine->depth ? push(machine, top[-1 - (s64)operand])
						: ST_INVALID;
	}
}

static enum status jump(struct machine *machine, u64 to)
{
	machine->at = (size_t)to;
	return to < machine->size ? ST_OK : ST_INVALID;
}

static enum status execute(struct machine *machine, u8 op, u64 operand)
{
	switch (op) {
	case AGENT_LOG_NOT:
		return push(machine, !pop(machine));
	case AGENT_BIT_NOT:
		return push(machine, ~pop(machine));
	case AGENT_EXT:
	case AGENT_ZERO_EXT:
		return extend(machine, operand, op == AGENT_EXT);
	case AGENT_REF8:
	case AGENT_REF16:
	case AGENT_REF32:
	case AGENT_REF64:
		return push_memory(machine, (size_t)1 << (op - AGENT_REF8));
	case AGENT_IF_GOTO:
		return pop(machine) ? jump(machine, operand) : ST_OK;
	case AGENT_GOTO:
		return jump(machine, operand);
	case AGENT_CONST8:
	case AGENT_CONST16:
	case AGENT_CONST32:
	case AGENT_CONST64:
		return push(machine, operand);
	case AGENT_REG:
		return push_register(machine, (unsigned)operand);
	case AGENT_DUP:
	case AGENT_POP:
	case AGENT_SWAP:
	case AGENT_PICK:
	case AGENT_ROT:
		return rearrange(machine, op, operand);
	default:
		return combine(machine, op);
	}
}

/* The next operation, checked. */
static enum status fetch(struct machine *machine, u8 *op, u64 *operand)
{
	if (machine->at == machine->size)
		return ST_INVALID;
	*op = machine->code[machine->at++];
	if (*op >= ARRAY_SIZE(rows) || !rows[*op].is_known || machine->depth < rows[*op].takes ||
	    machine->size - machine->at < rows[*op].operand)
		return ST_INVALID;
	*operand = 0;
	for (u8 i = 0; i < rows[*op].operand; i++)
		*operand = *operand << 8 | machine->code[machine->at++];
	return ST_OK;
}

enum status agent_evaluate(const struct agent_place *place, const u8 *code, size_t size, u64 *value)
{
	struct machine machine = { .place = place, .code = code, .size = size };
	enum status status = ST_OK;
	u64 operand;
	u8 op;

	for (unsigned steps = 0; status == ST_OK && steps < MAX_STEPS; steps++) {
		status = fetch(&machine, &op, &operand);
		if (status != ST_OK)
			return status;
		if (op == AGENT_END) {
			if (!machine.depth)
				return ST_INVALID;
			*value = pop(&machine);
			return ST_OK;
		}
		status = execute(&machine, op, operand);
	}
	return status == ST_OK ? ST_INVALID : status;
}

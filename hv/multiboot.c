#include "hv/multiboot.h"

#include "hv/log.h"
#include "hv/mem.h"

#define MB2_LOADER_MAGIC 0x36d76289
#define RSDP_SIZE	 20 /* of the first version, which later ones extend */
#define RSDP_NEW_SIZE	 36

enum {
	TAG_END = 0,
	TAG_COMMAND_LINE = 1,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_EFI64_SYSTEM_TABLE = 12,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
	TAG_EFI_MAP = 17,
};

struct tag {
	u32 type, size;
};

struct boot_info boot_info;

static u32 tag_u32(const struct tag *tag, size_t offset)
{
	u32 value = 0;

	if (offset + sizeof(value) <= tag->size)
		memcpy(&value, (const u8 *)tag + offset, sizeof(value));
	return value;
}

static u64 tag_u64(const struct tag *tag, size_t offset)
{
	return tag_u32(tag, offset) | (u64)tag_u32(tag, offset + 4) << 32;
}

static u8 tag_u8(const struct tag *tag, size_t offset)
{
	return offset < tag->size ? ((const u8 *)tag)[offset] : 0;
}

/* The zero-terminated text of @tag at @offset, cut at the tag's end or ours. */
static void tag_text(const struct tag *tag, size_t offset, char *to, size_t size)
{
	size_t length = 0;

	for (; offset + length < tag->size && length < size - 1; length++)
		if (!(to[length] = (char)tag_u8(tag, offset + length)))
			return;
	to[length] = 0;
	if (offset + length + 1 < tag->size)
		log_print("a text of the boot loader is longer than %lu bytes and was cut",
			  (u64)size);
}

static void parse_module(const struct tag *tag)
{
	struct boot_module *module = &boot_info.modules[boot_info.module_count];
	const u32 start = tag_u32(tag, 8), end = tag_u32(tag, 12);

	if (end < start) {
		log_print("a module ends at 0x%x, before it starts at 0x%x: left out", end, start);
		return;
	}
	if (boot_info.module_count == BOOT_MAX_MODULES) {
		log_print("more than %d modules: the rest is left out", BOOT_MAX_MODULES);
		return;
	}
	module->base = start;
	module->size = end - start;
	tag_text(tag, 16, module->text, sizeof(module->text));
	boot_info.module_count++;
}

static void parse_memory_map(const struct tag *tag)
{
	const u32 entry_size = tag_u32(tag, 8);

	for (size_t at = 16; entry_size >= 20 && at + entry_size <= tag->size; at += entry_size) {
		if (boot_info.range_count == BOOT_MAX_RANGES - 2) {
			log_print("more than %d memory ranges: the rest is left out",
				  BOOT_MAX_RANGES - 2);
			return;
		}
		boot_info.ranges[boot_info.range_count++] = (struct boot_range){
			.base = tag_u64(tag, at),
			.size = tag_u64(tag, at + 8),
			.type = tag_u32(tag, at + 16),
		};
	}
}

static void parse_framebuffer(const struct tag *tag)
{
	struct boot_framebuffer *fb = &boot_info.framebuffer;

	*fb = (struct boot_framebuffer){
		.present = true,
		.address = tag_u64(tag, 8),
		.pitch = tag_u32(tag, 16),
		.width = tag_u32(tag, 20),
		.height = tag_u32(tag, 24),
		.bpp = tag_u8(tag, 28),
		.type = tag_u8(tag, 29),
		.red = { tag_u8(tag, 32), tag_u8(tag, 33) },
		.green = { tag_u8(tag, 34), tag_u8(tag, 35) },
		.blue = { tag_u8(tag, 36), tag_u8(tag, 37) },
	};
}

static void parse_efi_map(const struct tag *tag)
{
	const u32 size = tag->size - 16;

	if (size > sizeof(boot_info.efi_map)) {
		log_print("the EFI memory map has %u bytes, more than %u: left out", size,
			  (unsigned)sizeof(boot_info.efi_map));
		return;
	}
	boot_info.efi_descriptor_size = tag_u32(tag, 8);
	boot_info.efi_descriptor_version = tag_u32(tag, 12);
	boot_info.efi_map_size = size;
	memcpy(boot_info.efi_map, (const u8 *)tag + 16, size);
}

static void parse_rsdp(const struct tag *tag, u32 least)
{
	if (tag->size < 8 + least)
		return;
	boot_info.rsdp = virt_to_phys(tag) + 8;
	memset(boot_info.rsdp_copy, 0, sizeof(boot_info.rsdp_copy));
	memcpy(boot_info.rsdp_copy, (const u8 *)tag + 8,
	       MIN(sizeof(boot_info.rsdp_copy), tag->size - 8));
}

static void parse_tag(const struct tag *tag)
{
	switch (tag->type) {
	case TAG_COMMAND_LINE:
		tag_text(tag, 8, boot_info.options, sizeof(boot_info.options));
		break;
	case TAG_MODULE:
		parse_module(tag);
		break;
	case TAG_MEMORY_MAP:
		parse_memory_map(tag);
		break;
	case TAG_FRAMEBUFFER:
		parse_framebuffer(tag);
		break;
	case TAG_EFI64_SYSTEM_TABLE:
		boot_info.efi_system_table = tag_u64(tag, 8);
		break;
	case TAG_RSDP_OLD:
		/* GRUB gives both where there are two; the new one has what the old one has. */
		if (!boot_info.rsdp)
			parse_rsdp(tag, RSDP_SIZE);
		break;
	case TAG_RSDP_NEW:
		parse_rsdp(tag, RSDP_NEW_SIZE);
		break;
	case TAG_EFI_MAP:
		if (tag->size > 16)
			parse_efi_map(tag);
		break;
	default:
		break;
	}
}

enum status multiboot_parse(u32 magic, u64 address)
{
	const u8 *info = phys_to_virt(address);
	u32 size;

	if (magic != MB2_LOADER_MAGIC)
		return ST_INVALID;
	memcpy(&size, info, sizeof(size));
	boot_info.loader_base = address;
	boot_info.loader_size = size;
	for (size_t at = 8; at + sizeof(struct tag) <= size;) {
		const struct tag *tag = (const struct tag *)(info + at);

		if (tag->type == TAG_END || tag->size < sizeof(*tag) || at + tag->size > size)
			break;
		parse_tag(tag);
		at += ALIGN_UP(tag->size, 8u);
	}
	return boot_info.range_count ? ST_OK : ST_INVALID;
}

host-src += replay/reader.c replay/lane.c replay/boot_record.c

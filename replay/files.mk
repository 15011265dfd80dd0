host-src += replay/reader.c replay/lane.c replay/boot_record.c
host-src += replay/names.c replay/query_parse.c replay/query.c replay/model.c replay/model_insn.c \
	    replay/event_text.c replay/event_json.c replay/position.c replay/caps_hidden.c

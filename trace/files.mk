shared-src += trace/schema.c trace/streams.c trace/encoder.c trace/encode.c trace/encode_ordered.c trace/encode_other.c trace/ram.c trace/block.c trace/pack.c trace/drain.c
host-src   += trace/decode.c trace/decode_other.c trace/decode_site.c trace/decode_state.c trace/decode_load.c trace/decode_digest.c trace/decode_outline.c trace/file.c trace/text.c

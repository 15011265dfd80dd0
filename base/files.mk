shared-src += base/status.c base/crc32c.c base/fmt.c

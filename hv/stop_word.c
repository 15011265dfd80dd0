#include "hv/stop_word.h"

#include "hv/log.h"
#include "hv/mem.h"

volatile u32 stop_word;

void stop_word_tell(void)
{
	log_print("stop word at 0x%lx", virt_to_phys((const void *)&stop_word));
}

#include "replay/dependents.h"

const struct dependent dependents[] = {
#define DEPENDENT(WORD, CONTROL, FIELD) { WORD##_##CONTROL, VMCS_IX_##FIELD, VMX_WORD_##WORD },
#include "replay/dependents.def"
#undef DEPENDENT
};
const size_t dependent_count = ARRAY_SIZE(dependents);

bool dependent_unset(const struct model_region *region, unsigned index)
{
	for (size_t i = 0; i < ARRAY_SIZE(dependents); i++)
		if (dependents[i].field == index)
			return region->whole && !model_place_is(&region->writer[index]);
	return false;
}

int dependent_unset_by(const struct model_region *region, enum vmx_word word, u64 mask)
{
	for (size_t i = 0; i < ARRAY_SIZE(dependents); i++)
		if (dependents[i].word == word && dependents[i].mask & mask &&
		    dependent_unset(region, dependents[i].field))
			return dependents[i].field;
	return -1;
}

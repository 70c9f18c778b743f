/* What Anthropic may answer, or whoever pretends to be it: see ai_answer.h. */
#include "ai_answer.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return ai_answer(AI_ANTHROPIC, data, size);
}

/* Multi-step spikes of codes: multi-level soft reset, the last step fires all that is left (N3). */
#include "common/kernels.h"
#include "common/attributes.h"

int32_t s4j_spike_steps_scalar(const uint8_t *codes, int64_t n, int32_t bits, int32_t count, uint8_t *steps)
{
    const int32_t most = (1 << bits) - 1;
    for (int64_t i = 0; i < n; i++) {
        int32_t mem = codes[i];
        for (int32_t t = 0; t < count; t++) {
            int32_t fired = mem < most || S4J_MUT(5, 0, t == count - 1) ? mem : most;
            steps[t * n + i] = (uint8_t)fired;
            mem -= fired;
        }
    }
    return S4J_OK;
}

// All engines that were compiled.
#include "network.h"

namespace vqspeech {

#if defined(__x86_64__) && defined(__GNUC__)
extern const Engine avx512_int8, avx512_bf16, avx512_fp32, avx2_int8, avx2_fp32;
#endif
extern const Engine plain_fp32;

const std::vector<const Engine*>& engines() {
    static const std::vector<const Engine*> all{
#if defined(__x86_64__) && defined(__GNUC__)
        &avx512_int8, &avx512_bf16, &avx512_fp32, &avx2_int8, &avx2_fp32,
#endif
        &plain_fp32};
    return all;
}

}  // namespace vqspeech

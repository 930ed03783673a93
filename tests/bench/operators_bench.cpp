/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What recording a model's operators costs its forward, beside torch's own
 * profiler in the same run: see operators.
 *
 * The arms take turns in one process, for this machine is never twice the
 * same: in each round every arm is switched on, warmed by two forwards and
 * timed for five.  A round's ratio is that of the medians of its five; what is
 * printed is the median of the rounds' ratios, with the interval that covers
 * it with 95 % confidence (order statistics, no distribution assumed).
 *
 *     operators_bench MODEL TOKENS ROUNDS
 *     operators_bench MODEL TOKENS ROUNDS ARM     that one alone, untimed: for callgrind
 */
#include <profcore/torch.h>

#include <ATen/record_function.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace {

prof_error err = PROF_ERROR_INIT;
long operator_count;

void need(prof_status status)
{
    if (status == PROF_OK)
        return;
    std::fprintf(stderr, "operators_bench: %s\n", err.message);
    std::exit(1);
}

/* ---- the arms ---- */

std::unique_ptr<at::ObserverContext> nothing(const at::RecordFunction &) { return nullptr; }

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction &)
{
    operator_count++;
    return nullptr;
}

void nothing_at_end(const at::RecordFunction &, at::ObserverContext *) {}

at::CallbackHandle callback;

void begin_off() {}
void begin_empty() { callback = at::addGlobalCallback(at::RecordFunctionCallback(nothing, nothing_at_end)); }
void end_empty() { at::removeCallback(callback); }
void begin_ours() { need(prof_torch_operators_start(0, &err)); }

void begin_torchs()
{
    using namespace torch::profiler::impl;
    using namespace torch::autograd::profiler;
    const ProfilerConfig config(ProfilerState::KINETO);
    prepareProfiler(config, { ActivityType::CPU });
    enableProfiler(config, { ActivityType::CPU }, { at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE });
}

void end_torchs() { torch::autograd::profiler::disableProfiler(); }

const struct {
    const char *name, *what;
    void (*begin)(), (*end)();
} arms[] = {
    { "off", "nothing recorded", begin_off, begin_off },
    { "empty", "callbacks that do nothing: libtorch's part", begin_empty, end_empty },
    { "operators", "prof_torch_operators_start()", begin_ours, prof_torch_operators_stop },
    { "torch.profiler", "its core, without shapes, memory and stacks", begin_torchs, end_torchs },
};
const size_t arm_count = sizeof(arms) / sizeof(arms[0]);

/* ---- figures ---- */

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/* The order statistics that enclose the median with 95 % confidence. */
void interval(std::vector<double> values, double *low, double *high)
{
    std::sort(values.begin(), values.end());
    const double n = static_cast<double>(values.size()), off = 0.98 * std::sqrt(n);
    *low = values[static_cast<size_t>(std::max(0.0, std::floor(n / 2 - off)))];
    *high = values[static_cast<size_t>(std::min(n - 1, std::ceil(n / 2 + off)))];
}

struct forward {
    prof_torch_model *model = nullptr;
    std::vector<int64_t> ids, mask;
    int64_t shape[2];

    forward(const char *path, int64_t tokens) : ids(tokens), mask(tokens, 1), shape{ 1, tokens }
    {
        for (int64_t i = 0; i < tokens; i++)
            ids[i] = 1000 + i * 37 % 20000;
        need(prof_torch_intra_threads_set(1, &err));
        need(prof_torch_model_open(path, nullptr, &model, &err));
    }

    double run()
    {
        const prof_torch_tensor tensors[] = { PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, shape, ids.data()),
                                              PROF_TORCH_TENSOR_OF(PROF_TORCH_INT64, 2, shape, mask.data()) };
        const prof_torch_input inputs[] = { PROF_TORCH_INPUT_TENSOR(&tensors[0]), PROF_TORCH_INPUT_TENSOR(&tensors[1]) };
        prof_torch_value *value = nullptr;
        const auto begun = std::chrono::steady_clock::now();
        {
            PROF_SCOPE("forward");
            need(prof_torch_run(model, nullptr, inputs, 2, &value, &err));
        }
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begun;
        prof_torch_value_close(value);
        return took.count();
    }
};

void run_alone(forward &model, const char *name, int rounds)
{
    for (size_t arm = 0; arm < arm_count; arm++) {
        if (std::strcmp(arms[arm].name, name) != 0)
            continue;
        arms[arm].begin();
        for (int i = 0; i < rounds; i++)
            model.run();
        arms[arm].end();
    }
}

void measure(forward &model, int rounds)
{
    std::vector<double> medians[arm_count], ratios[arm_count];
    for (int round = 0; round < rounds; round++) {
        double of_round[arm_count];
        for (size_t i = 0; i < arm_count; i++) {
            const size_t arm = (static_cast<size_t>(round) + i) % arm_count;
            std::vector<double> took;
            arms[arm].begin();
            for (int j = 0; j < 7; j++)
                took.push_back(model.run());
            arms[arm].end();
            took.erase(took.begin(), took.begin() + 2);
            of_round[arm] = median(took);
            medians[arm].push_back(of_round[arm]);
        }
        for (size_t arm = 0; arm < arm_count; arm++)
            ratios[arm].push_back(of_round[arm] / of_round[0]);
    }
    std::printf("%ld operators a forward, %d rounds\n\n", operator_count, rounds);
    std::printf("%-15s %12s %8s %18s %12s\n", "", "a forward", "ratio", "95 % of it", "an operator");
    for (size_t arm = 0; arm < arm_count; arm++) {
        double low, high;
        interval(ratios[arm], &low, &high);
        std::printf("%-15s %9.1f us %8.4f   %.4f - %.4f %9.1f ns   %s\n", arms[arm].name, median(medians[arm]), median(ratios[arm]), low, high,
                    (median(ratios[arm]) - 1) * median(medians[0]) * 1e3 / static_cast<double>(operator_count), arms[arm].what);
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc < 4) {
        std::fprintf(stderr, "usage: operators_bench MODEL TOKENS ROUNDS [ARM]\n");
        return 2;
    }
    forward model(argv[1], std::atoll(argv[2]));
    const int rounds = std::atoi(argv[3]);
    need(prof_start(nullptr, &err));
    for (int i = 0; i < 10; i++)
        model.run();
    if (argc == 5) {
        run_alone(model, argv[4], rounds);
    } else {
        callback = at::addGlobalCallback(at::RecordFunctionCallback(count, nothing_at_end));
        model.run();
        at::removeCallback(callback);
        measure(model, rounds);
    }
    prof_torch_model_close(model.model);
    return 0;
}

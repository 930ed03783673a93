/* SPDX-License-Identifier: Apache-2.0 */
/* What a model says about itself: methods, arguments, and the files saved with it. */
#include "torch_test.h"

static prof_torch_method method_named(prof_torch_model *model, const char *name)
{
    for (size_t i = 0; i < prof_torch_model_method_count(model); i++) {
        prof_torch_method method = PROF_TORCH_METHOD_INIT;
        CHECK_OK(prof_torch_model_method(model, i, &method, &err));
        if (method.name != NULL && strcmp(method.name, name) == 0)
            return method;
    }
    printf("# there is no method %s\n", name);
    test_failed = 1;
    return (prof_torch_method)PROF_TORCH_METHOD_INIT;
}

/* Checks one argument; default_text NULL: it must have none. */
static void check_argument(prof_torch_model *model, const char *method, size_t index, const char *name,
                           const char *type, const char *default_text)
{
    prof_torch_argument argument = PROF_TORCH_ARGUMENT_INIT;
    CHECK_OK(prof_torch_model_argument(model, method, index, &argument, &err));
    REQUIRE(argument.name != NULL && argument.type != NULL);
    CHECK_STR(argument.name, name);
    CHECK_STR(argument.type, type);
    CHECK((argument.default_text != NULL) == (default_text != NULL));
    if (argument.default_text != NULL && default_text != NULL)
        CHECK_STR(argument.default_text, default_text);
    CHECK_U64(argument.flags, 0);
}

TEST(every_method_is_listed_with_what_it_takes_and_returns)
{
    OPEN(model, "inputs.pt");
    CHECK_U64(prof_torch_model_method_count(model), 12);
    const prof_torch_method forward = method_named(model, "forward"), mix = method_named(model, "mix");
    const prof_torch_method tail = method_named(model, "tail"), kept = method_named(model, "kept_tensor");
    CHECK_U64(forward.argument_count, 1);
    CHECK_STR(forward.result, "Tensor");
    CHECK_U64(mix.argument_count, 3);
    CHECK_U64(kept.argument_count, 0);
    CHECK_STR(tail.result, "Dict[str, List[Tensor]]");
    CHECK_U64(mix.flags, 0);
    check_argument(model, NULL, 0, "x", "Tensor", NULL);
    check_argument(model, "mix", 0, "a", "Tensor", NULL);
    check_argument(model, "mix", 1, "b", "Tensor", NULL);
    check_argument(model, "mix", 2, "scale", "float", "1.");
    check_argument(model, "or_zero", 0, "x", "Optional[Tensor]", NULL);
    check_argument(model, "first_of", 0, "tensors", "List[Tensor]", NULL);
    check_argument(model, "to_device", 1, "device", "Device", NULL);
    prof_torch_model_close(model);
}

TEST(the_types_of_results_are_written_as_python_does)
{
    OPEN(model, "outputs.pt");
    CHECK_STR(method_named(model, "forward").result, "Tuple[Tensor, List[Tensor], Dict[str, Tensor]]");
    CHECK_STR(method_named(model, "numbers").result, "Tuple[int, float, bool, str, Optional[int], List[int]]");
    prof_torch_model_close(model);
}

TEST(texts_stay_in_place_while_a_model_is_moved_and_a_clone_has_its_own)
{
    OPEN(model, "encoder.pt");
    prof_torch_model *clone = NULL;
    const char *name = method_named(model, "forward").name;
    CHECK_OK(prof_torch_model_clone(model, &clone, &err));
    CHECK_OK(prof_torch_model_to(model, NULL, PROF_TORCH_FLOAT64, &err));
    CHECK(method_named(model, "forward").name == name);
    prof_torch_model_close(model);
    CHECK_U64(prof_torch_model_method_count(clone), 1);
    check_argument(clone, "forward", 0, "x", "Tensor", NULL);
    prof_torch_model_close(clone);
}

TEST(what_is_not_there_is_not_found)
{
    OPEN(model, "encoder.pt");
    prof_torch_method method = PROF_TORCH_METHOD_INIT;
    prof_torch_argument argument = PROF_TORCH_ARGUMENT_INIT;
    CHECK_FAILS(prof_torch_model_method(model, 1, &method, &err), PROF_E_NOT_FOUND, "there is no method 1: it has 1");
    CHECK_FAILS(prof_torch_model_method(model, SIZE_MAX, &method, &err), PROF_E_NOT_FOUND, "encoder.pt'");
    CHECK_FAILS(prof_torch_model_argument(model, NULL, 1, &argument, &err), PROF_E_NOT_FOUND,
                "there is no argument 1: it takes 1");
    CHECK_FAILS(prof_torch_model_argument(model, "backward", 0, &argument, &err), PROF_E_NOT_FOUND,
                "no method 'backward'; it has: 'forward'");
    CHECK_FAILS(prof_torch_model_method(model, 0, NULL, &err), PROF_E_INVALID, "method is NULL");
    CHECK_FAILS(prof_torch_model_argument(model, NULL, 0, NULL, &err), PROF_E_INVALID, "argument is NULL");
    method.size = 8;
    CHECK_FAILS(prof_torch_model_method(model, 0, &method, &err), PROF_E_INVALID, "method.size is 8");
    argument.size = 0;
    CHECK_FAILS(prof_torch_model_argument(model, NULL, 0, &argument, &err), PROF_E_INVALID, "argument.size is 0");
    CHECK(method.name == NULL && argument.name == NULL);
    prof_torch_model_close(model);
}

TEST(files_saved_with_a_model_are_read_byte_for_byte_and_outlive_it)
{
    OPEN(model, "extra.pt");
    prof_torch_model *clone = NULL;
    prof_torch_value *files = NULL, *of_clone = NULL;
    const char *text = NULL, *name = NULL;
    size_t bytes = 0;
    CHECK_OK(prof_torch_model_clone(model, &clone, &err));
    CHECK_OK(prof_torch_model_extra_files(model, &files, &err));
    CHECK_OK(prof_torch_model_extra_files(clone, &of_clone, &err));
    prof_torch_model_close(model);
    prof_torch_model_close(clone);
    CHECK_I64(prof_torch_value_kind(files), PROF_TORCH_DICTIONARY);
    CHECK_U64(prof_torch_value_count(files), 3);
    CHECK_U64(prof_torch_value_count(of_clone), 3);
    CHECK_OK(prof_torch_value_key(files, 1, &name, NULL, &err));
    CHECK_STR(name, "folder/bytes");
    CHECK_OK(prof_torch_value_string(find(files, "vocabulary.txt"), &text, &bytes, &err));
    CHECK_STR(text, "na\xc3\xafve\n[CLS]\n");
    CHECK_OK(prof_torch_value_string(find(files, "empty"), &text, &bytes, &err));
    CHECK_U64(bytes, 0);
    CHECK_OK(prof_torch_value_string(find(files, "folder/bytes"), &text, &bytes, &err));
    REQUIRE(bytes == 256);
    for (size_t i = 0; i < bytes; i++)
        CHECK((unsigned char)text[i] == i);
    prof_torch_value_close(files);
    prof_torch_value_close(of_clone);
}

TEST(a_model_without_files_has_an_empty_dictionary)
{
    OPEN(model, "encoder.pt");
    prof_torch_value *files = NULL;
    CHECK_OK(prof_torch_model_extra_files(model, &files, &err));
    CHECK_I64(prof_torch_value_kind(files), PROF_TORCH_DICTIONARY);
    CHECK_U64(prof_torch_value_count(files), 0);
    prof_torch_value_close(files);
    CHECK_FAILS(prof_torch_model_extra_files(model, NULL, &err), PROF_E_INVALID, "files is NULL");
    prof_torch_model_close(model);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error texts: see shim_error.hpp.
 *
 * A message is composed in a buffer of its final size, one whole UTF-8
 * character at a time, so that it is valid and one line whatever the file
 * name or libtorch's text held.
 */
#include "shim_error.hpp"

#include <c10/util/Exception.h>
#include <torch/csrc/jit/runtime/jit_exception.h>

#include <cstdarg>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

namespace profi_torch {

namespace {

/* The length of the UTF-8 character at text; 0 when the bytes are not one. */
size_t character_length(const unsigned char *text, size_t left)
{
    static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    const size_t length = first >= 0xf8 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
    if (length == 0 || length > left)
        return 0;
    uint32_t code = first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    const bool is_valid = code >= smallest[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return is_valid ? length : 0;
}

/* One line of text that is being composed. */
class line {
public:
    /* Text of ours, or libtorch's: white space of any length becomes one space. */
    void add(const char *text)
    {
        bool is_space_due = false;
        const size_t bytes = std::strlen(text);
        for (size_t i = 0; i < bytes && !is_cut_;) {
            const unsigned char c = static_cast<unsigned char>(text[i]);
            if (c == ' ' || (c >= '\t' && c <= '\r')) {
                is_space_due = true;
                i++;
                continue;
            }
            if (is_space_due)
                add_space();
            is_space_due = false;
            i += add_character(text + i, bytes - i);
        }
        if (is_space_due)
            add_space();
    }

    /* A name as it is, white space too; of a long one the end, which tells files apart. */
    void add_quoted(const char *name)
    {
        const size_t most = 200, bytes = std::strlen(name);
        size_t start = bytes <= most ? 0 : bytes - most;
        put("'", 1);
        if (start > 0) {
            while (start < bytes && (static_cast<unsigned char>(name[start]) & 0xc0) == 0x80)
                start++;
            put("\u2026", 3);
        }
        while (start < bytes && !is_cut_)
            start += add_character(name + start, bytes - start);
        put("'", 1);
    }

    void finish(prof_error *err, prof_status status)
    {
        while (length_ > 0 && text_[length_ - 1] == ' ')
            length_--;
        if (is_cut_) {
            while (length_ > sizeof(text_) - 4 || (length_ > 0 && (text_[length_] & 0xc0) == 0x80))
                length_--;
            std::memcpy(text_ + length_, "\u2026", 3);
            length_ += 3;
        }
        std::memcpy(err->message, text_, length_);
        err->message[length_] = '\0';
        err->status = status;
    }

private:
    void add_space()
    {
        if (length_ > 0 && text_[length_ - 1] != ' ')
            put(" ", 1);
    }

    void put(const char *bytes, size_t count)
    {
        if (is_cut_ || length_ + count > sizeof(text_) - 1) {
            is_cut_ = true;
            return;
        }
        std::memcpy(text_ + length_, bytes, count);
        length_ += count;
    }

    size_t add_character(const char *text, size_t left)
    {
        const unsigned char c = static_cast<unsigned char>(text[0]);
        const size_t length = character_length(reinterpret_cast<const unsigned char *>(text), left);
        char escape[8];
        if (c == '\n')
            put("\\n", 2);
        else if (c < 0x20 || c == 0x7f || length == 0)
            put(escape, static_cast<size_t>(std::snprintf(escape, sizeof(escape), "\\x%02x", c)));
        else
            put(text, length);
        return length == 0 ? 1 : length;
    }

    char text_[sizeof(prof_error::message)] = {};
    size_t length_ = 0;
    bool is_cut_ = false;
};

/*
 * The part of libtorch's text that says what went wrong, without the model's
 * traceback before it.  Only at the start of a line does the word mark it: a
 * model's own text may hold it too.
 */
const char *useful_part(const char *text)
{
    static const char mark[] = "\nRuntimeError: ";
    const char *useful = text;
    for (const char *found = text; (found = std::strstr(found, mark)) != nullptr;)
        useful = found += sizeof(mark) - 1;
    return useful;
}

bool has(const char *text, const char *part)
{
    return std::strstr(text, part) != nullptr;
}

/* Inside a model every exception arrives as one type: only its text tells these apart. */
prof_status status_of(const char *text, prof_status otherwise)
{
    if (has(text, "DefaultCPUAllocator: ") || has(text, "CUDA out of memory") || has(text, "std::bad_alloc"))
        return PROF_E_NO_MEMORY;
    if (has(text, "not implemented for '") || has(text, "Could not run 'aten::"))
        return PROF_E_UNSUPPORTED;
    return otherwise;
}

/* An exception of a compiled package's has libtorch's backtrace in its text. */
std::string without_backtrace(const std::string &text)
{
    return text.substr(0, std::min(text.find("\nException raised from "), text.find(" Exception raised from ")));
}

prof_status fail_with(prof_error *err, prof_status status, const task &doing, const char *text)
{
    const char *useful = useful_part(text);
    return fail_text(err, status_of(useful, status), doing, useful);
}

/* What a model's own raise or assert says, with the name of its class where it is known. */
std::string raised_text(torch::jit::JITException &error)
{
    static const char builtins[] = "builtins.";
    const auto message = error.getOriginalMsg();
    const auto class_name = error.getPythonClassName();
    if (!message)
        return useful_part(error.what());
    if (!class_name)
        return *message;
    return class_name->substr(class_name->compare(0, sizeof(builtins) - 1, builtins) == 0 ? sizeof(builtins) - 1 : 0) +
           ": " + *message;
}

prof_status fail_raised(prof_error *err, prof_status status, const task &doing, torch::jit::JITException &error)
{
    try {
        return fail_text(err, status, doing, raised_text(error).c_str());
    } catch (...) {
        return fail_text(err, status, doing, useful_part(error.what()));
    }
}

} // namespace

prof_status fail_text(prof_error *err, prof_status status, const task &doing, const char *reason) noexcept
{
    if (err == nullptr)
        return status;
    line message;
    message.add("cannot ");
    message.add(doing.verb);
    if (doing.name != nullptr) {
        message.add(" ");
        message.add_quoted(doing.name);
    }
    if (doing.method != nullptr) {
        message.add(", method ");
        message.add_quoted(doing.method);
    }
    message.add(": ");
    message.add(reason);
    message.finish(err, status);
    return status;
}

prof_status fail(prof_error *err, prof_status status, const task &doing, const char *format, ...) noexcept
{
    char reason[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    return fail_text(err, status, doing, reason);
}

prof_status fail_exception(prof_error *err, prof_status status, const task &doing) noexcept
{
    try {
        throw;
    } catch (const std::bad_alloc &) {
        return fail_text(err, PROF_E_NO_MEMORY, doing, "memory is spent");
    } catch (const c10::OutOfMemoryError &error) {
        return fail_text(err, PROF_E_NO_MEMORY, doing, useful_part(error.what_without_backtrace()));
    } catch (const c10::NotImplementedError &error) {
        return fail_text(err, PROF_E_UNSUPPORTED, doing, useful_part(error.what_without_backtrace()));
    } catch (const c10::Error &error) {
        return fail_with(err, status, doing, error.what_without_backtrace());
    } catch (torch::jit::JITException &error) {
        return fail_raised(err, status, doing, error);
    } catch (const std::exception &error) {
        try {
            return fail_with(err, status, doing, without_backtrace(error.what()).c_str());
        } catch (...) { /* no memory for a copy */
            return fail_with(err, status, doing, error.what());
        }
    } catch (...) {
        return fail_text(err, status, doing, "an exception of an unknown type");
    }
}

prof_status struct_size(const void *theirs, size_t smallest, const char *name, uint32_t *size, const task &doing,
                        prof_error *err) noexcept
{
    const uint32_t largest = 65536;
    if (theirs == nullptr)
        return fail(err, PROF_E_INVALID, doing, "%s is NULL", name);
    std::memcpy(size, theirs, sizeof(*size));
    if (*size < smallest || *size > largest)
        return fail(err, PROF_E_INVALID, doing, "%s.size is %u, which no version had: set it with its INIT macro", name,
                    static_cast<unsigned>(*size));
    return PROF_OK;
}

} // namespace profi_torch

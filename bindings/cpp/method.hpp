/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of profcore.hpp: scopes with the full name of the function that they
 * stand in.
 */
#ifndef PROFCORE_METHOD_HPP
#define PROFCORE_METHOD_HPP

#include <profcore/scope.hpp>

#include <cstddef>
#include <cstring>

namespace profcore {
namespace detail {

/* Past the end of the bracketed text that begins at `at`; < and > count where `with_angles`. */
inline const char *skip_group(const char *at, bool with_angles) noexcept
{
    int depth = 0;
    for (; *at != '\0'; at++) {
        depth += *at == '(' || *at == '[' || *at == '{' || (with_angles && *at == '<');
        depth -= *at == ')' || *at == ']' || *at == '}' || (with_angles && *at == '>');
        if (depth == 0)
            return at + 1;
    }
    return at;
}

/* Past an operator's name, which begins at `at` with the word itself. */
inline const char *skip_operator(const char *at) noexcept
{
    at += std::strlen("operator");
    if (std::strncmp(at, "()", 2) == 0)
        return at + 2;
    const bool is_conversion = *at == ' ';
    while (*at != '\0' && *at != '(')
        at = is_conversion && *at == '<' ? skip_group(at, true) : at + 1;
    return at;
}

/*
 * Cuts the qualified name out of what __PRETTY_FUNCTION__ holds, begin to
 * end: "float *ns::encoder::encode(int) const" becomes "ns::encoder::encode".
 * What it does not understand it leaves as it is.
 */
inline void cut_name(const char *&begin, const char *&end) noexcept
{
    const char *const pretty = begin, *at = pretty;
    while (*at != '\0') {
        const bool is_word = at == pretty || std::strchr(" :*&", at[-1]) != nullptr;
        if (is_word && std::strncmp(at, "operator", 8) == 0 && std::strchr(" ()<>=!+-*/%^&|~,[\"", at[8]) != nullptr) {
            at = skip_operator(at);
            break;
        }
        if (*at == ' ' && at[1] == '[') /* the values of template parameters */
            break;
        if (*at == ' ' || *at == '*' || *at == '&') {
            begin = ++at;
        } else if (*at == '<' || *at == '{') {
            at = skip_group(at, *at == '<');
        } else if (*at == '(' && (at[1] == '*' || at[1] == '&')) { /* it returns a pointer to a function or array */
            begin = at += 2;
        } else if (*at == '(') {
            const char *const after = skip_group(at, false);
            const char *const rest = std::strncmp(after, " const::", 8) == 0 ? after + 6 : after;
            if (std::strncmp(rest, "::", 2) == 0) /* (anonymous namespace)::, or the function around a lambda */
                at = rest;
            else if (at == begin || (at - begin >= 8 && std::strncmp(at - 8, "decltype", 8) == 0))
                at = after; /* a decltype, before whose bracket gcc writes a blank */
            else
                break;
        } else {
            at++;
        }
    }
    if (at == begin)
        begin = pretty;
    end = at == begin ? pretty + std::strlen(pretty) : at;
}

/* The site of a PROF_METHOD, which allocates nothing: it may be made when memory is short. */
template <std::size_t Size> class method_site {
public:
    method_site(const char (&pretty)[Size], const char *file, std::uint32_t line, std::uint32_t flags) noexcept
        : raw_(prof_site PROF_SITE_INIT(name_, file, line, flags))
    {
        const char *begin = pretty, *end = pretty;
        cut_name(begin, end);
        const std::size_t bytes = static_cast<std::size_t>(end - begin);
        std::memcpy(name_, begin, bytes);
        name_[bytes] = '\0';
    }
    site get() noexcept { return site(raw_); }

private:
    char name_[Size];
    prof_site raw_;
};

} // namespace detail

} // namespace profcore

/*
 * PROF_METHOD();             The rest of this function is a scope with its full
 *                            name, namespace and class included: where
 *                            PROF_FUNCTION() gives "encode", this gives
 *                            "ns::encoder::encode".
 * PROF_METHOD_SAVE();        As PROF_FUNCTION_SAVE().
 * PROF_METHOD_WITH(flags);
 */
#define PROF_METHOD() PROF_METHOD_WITH(0u)
#define PROF_METHOD_SAVE() PROF_METHOD_WITH(PROF_SITE_SAVE | PROF_SITE_RSS)
#define PROF_METHOD_WITH(flags) \
    const ::profcore::scope PROF_ID_(prof_method_)((PROF_IF_LIVE_(PROF_METHOD_SITE_(flags), ::profcore::site())))
#define PROF_METHOD_SITE_(flags)                                                            \
    (::profcore::is_recording() ? __extension__({                                           \
        static ::profcore::detail::method_site<sizeof(__PRETTY_FUNCTION__)> prof_site_(      \
            __PRETTY_FUNCTION__, __FILE__, __LINE__, flags);                                \
        prof_site_.get();                                                                   \
    })                                                                                      \
                                : ::profcore::site())

#endif

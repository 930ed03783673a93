/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges code: see shim_source.hpp.
 *
 * Lines, strings and comments are told apart as libtorch's lexer does it:
 * what one of the two took for a comment and the other for code could be
 * used to hide something.
 */
#include "shim_source.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <unordered_map>

namespace profi_torch {

namespace {

const size_t tokens_most = 512, blanks_most = 1024, elifs_most = 512, needs_most = 100;

/* FNV-1a. */
const uint64_t hash_start = 14695981039346656037u;

uint64_t hash_more(uint64_t hash, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ static_cast<unsigned char>(text[i])) * 1099511628211u;
    return hash;
}

/* "code/__torch__/a/b.py" is where __torch__.a.b.X is. */
uint64_t hash_folder(const std::string &record)
{
    std::string folder = record.substr(5, record.size() - 5 - 3) + ".";
    std::replace(folder.begin(), folder.end(), '/', '.');
    return hash_more(hash_start, folder.data(), folder.size());
}

} // namespace

/* Goes through one record, token by token. */
class source_reader {
public:
    source_reader(source_judge *judge, const std::string &record, const char *data, size_t bytes)
        : judge_(judge), folder_(hash_folder(record)), at_(data), end_(data + bytes)
    {
    }

    /* NULL when all is well, else what is wrong. */
    const char *run()
    {
        while (fault_ == nullptr && at_ != end_)
            step();
        definition_end();
        return fault_;
    }

private:
    struct level {
        size_t tokens, most; /* of the expression that it is at, and of the largest before it */
    };

    void step()
    {
        const char c = *at_;
        if (c == '\n')
            line_end();
        else if (std::isspace(static_cast<unsigned char>(c)))
            blank();
        else if (c == '#')
            comment();
        else if (c == '\\' && end_ - at_ > 1 && at_[1] == '\n')
            at_ += 2;
        else
            token(c);
    }

    void line_end()
    {
        at_++;
        blanks_ = 0;
        is_start_ = true;
        if (levels_.size() == 1) {
            levels_[0] = level();
            open_tokens_ = 0;
        }
    }

    void blank()
    {
        at_++;
        if (is_start_ && ++blanks_ > blanks_most)
            fault_ = "is nested too deeply";
    }

    void comment()
    {
        static const char type[] = "# type:"; /* which libtorch reads on as code */
        if (static_cast<size_t>(end_ - at_) >= sizeof(type) - 1 && std::memcmp(at_, type, sizeof(type) - 1) == 0)
            fault_ = "has types in comments, as TorchScript does not write them";
        const void *found = std::memchr(at_, '\n', static_cast<size_t>(end_ - at_));
        at_ = found != nullptr ? static_cast<const char *>(found) : end_;
    }

    void token(char c)
    {
        margin_ = has_begun_ ? margin_ : blanks_;
        const bool is_outermost = is_start_ && blanks_ <= margin_ && levels_.size() == 1;
        has_begun_ = true;
        is_start_ = false;
        if (is_outermost)
            definition_end();
        if (c != '.' && !is_word(c))
            name_ = 0;
        tokens_add(1);
        if (c == '"' || c == '\'')
            string(c);
        else if (is_word(c))
            word(is_outermost);
        else
            sign(c);
    }

    /* What recursion goes through at one time is all expressions that are open. */
    void tokens_add(size_t count)
    {
        levels_.back().tokens += count;
        open_tokens_ += count;
        if (open_tokens_ > tokens_most)
            fault_ = "has an expression that is too long or nested too deeply";
    }

    void sign(char c)
    {
        at_++;
        is_dotted_ = c == '.';
        if (c == '(' || c == '[' || c == '{') {
            levels_.push_back(level());
        } else if (c == ')' || c == ']' || c == '}') {
            if (levels_.size() == 1)
                return;
            const size_t inside = std::max(levels_.back().tokens, levels_.back().most);
            open_tokens_ -= levels_.back().tokens;
            levels_.pop_back();
            tokens_add(inside); /* the expression goes on and has this one in it */
        } else if (c == ',') {
            levels_.back().most = std::max(levels_.back().most, levels_.back().tokens);
            open_tokens_ -= levels_.back().tokens;
            levels_.back().tokens = 0;
        }
    }

    static bool is_word(char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)); }

    void word(bool is_outermost)
    {
        const char *const start = at_;
        while (at_ != end_ && is_word(*at_))
            at_++;
        const size_t bytes = static_cast<size_t>(at_ - start);
        const auto is = [&](const char *text) { return std::strlen(text) == bytes && std::memcmp(start, text, bytes) == 0; };
        if (is_defining_)
            judge_->definitions_.push_back({ hash_more(folder_, start, bytes), judge_->needs_.size(), 0 });
        is_in_definition_ = is_in_definition_ || is_defining_;
        is_defining_ = is_outermost && (is("class") || is("def"));
        if (is("elif") && ++elifs_ > elifs_most)
            fault_ = "has too many elif";
        if (name_ != 0 && is_dotted_) {
            name_ = hash_more(hash_more(name_, ".", 1), start, bytes);
            if (is_in_definition_)
                judge_->needs_.push_back(name_);
        } else {
            name_ = hash_more(hash_start, start, bytes);
        }
        is_dotted_ = false;
    }

    /* One of adjacent quotes: as libtorch's isString(). */
    void string(char quote)
    {
        const std::ptrdiff_t quotes = end_ - at_ >= 3 && at_[1] == quote && at_[2] == quote ? 3 : 1;
        for (at_ += quotes; end_ - at_ >= quotes; at_++) {
            if (*at_ == quote && (quotes == 1 || (at_[1] == quote && at_[2] == quote))) {
                at_ += quotes;
                return;
            }
            if (*at_ == '\n' && quotes == 1)
                break;
            if (*at_ == '\\' && end_ - at_ > 1)
                at_++;
        }
        fault_ = "has a string without an end";
    }

    void definition_end()
    {
        if (!is_in_definition_)
            return;
        is_in_definition_ = false;
        source_judge::definition &last = judge_->definitions_.back();
        auto &needs = judge_->needs_;
        const auto first = needs.begin() + static_cast<std::ptrdiff_t>(last.first);
        std::sort(first, needs.end());
        needs.erase(std::unique(first, needs.end()), needs.end());
        last.count = needs.size() - last.first;
    }

    source_judge *const judge_;
    const uint64_t folder_;
    const char *at_, *const end_;
    const char *fault_ = nullptr;
    std::vector<level> levels_{ 1 }; /* of brackets; the first is outside of all */
    size_t open_tokens_ = 0;         /* of all levels together */
    size_t blanks_ = 0, elifs_ = 0;
    size_t margin_ = 0; /* blanks before the first token, which libtorch takes for the start of the line */
    uint64_t name_ = 0; /* the dotted name so far */
    bool has_begun_ = false, is_start_ = true, is_dotted_ = false, is_defining_ = false, is_in_definition_ = false;
};

prof_status source_judge::add(const std::string &name, const void *data, size_t data_bytes, const task &doing,
                              prof_error *err)
{
    if (name.size() <= std::strlen("code/.py"))
        return fail(err, PROF_E_FORMAT, doing, "its record '%.80s' is code without a name", name.c_str());
    const char *fault = source_reader(this, name, static_cast<const char *>(data), data_bytes).run();
    return fault == nullptr ? PROF_OK : fail(err, PROF_E_FORMAT, doing, "its record '%.80s' %s", name.c_str(), fault);
}

const char *type_check(const char *text, size_t bytes)
{
    source_judge unused;
    return source_reader(&unused, "code/.py", text, bytes).run();
}

/*
 * Takes away, again and again, what needs nothing that is left.  A chain of
 * definitions is no longer than the rounds that this takes and what remains
 * because it needs itself by way of others.
 */
prof_status source_judge::finish(const task &doing, prof_error *err)
{
    std::unordered_map<uint64_t, size_t> known;
    for (size_t i = 0; i < definitions_.size(); i++)
        if (!known.emplace(definitions_[i].name, i).second)
            return fail(err, PROF_E_FORMAT, doing, "its code defines a name twice");
    std::vector<std::vector<size_t>> needed_by(definitions_.size());
    std::vector<size_t> needs(definitions_.size()), now, next;
    for (size_t i = 0; i < definitions_.size(); i++) {
        for (size_t j = 0; j < definitions_[i].count; j++) {
            const auto found = known.find(needs_[definitions_[i].first + j]);
            if (found == known.end() || found->second == i)
                continue;
            needed_by[found->second].push_back(i);
            needs[i]++;
        }
        if (needs[i] == 0)
            now.push_back(i);
    }
    size_t rounds = 0, left = definitions_.size();
    for (; !now.empty(); now.swap(next), rounds++) {
        left -= now.size();
        next.clear();
        for (size_t one : now)
            for (size_t other : needed_by[one])
                if (--needs[other] == 0)
                    next.push_back(other);
    }
    if (rounds + left > needs_most)
        return fail(err, PROF_E_FORMAT, doing, "its code has classes or functions that need each other %zu deep", rounds + left);
    return PROF_OK;
}

} // namespace profi_torch

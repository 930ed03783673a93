/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges pickles: see shim_pickle.hpp.
 *
 * A pickle is a program for a stack machine.  This one knows the operations
 * that TorchScript files have (Python's pickletools documents them) and keeps
 * of each value what the judgement needs: integers, texts, what tuples hold,
 * and how deep it is.
 */
#include "shim_pickle.hpp"

#include "shim_source.hpp"
#include "shim_value.hpp"

#include <cstring>
#include <unordered_map>

namespace profi_torch {

namespace {

const uint32_t depth_most = 512;
const size_t rank_most = 64;
/* A pickle that was deflated may hold this many values, and two for each byte that it takes in the file. */
const uint64_t values_free = 1u << 19;
/* It may have this many operations, and so many for each byte that it takes in the file. */
const uint64_t steps_free = 1u << 22, steps_per_byte = 16;
const size_t name_bytes_most = 1024;

struct item {
    enum { OTHER, NUMBER, TEXT, TUPLE, STORAGE } kind;
    int64_t number;    /* NUMBER: its value; STORAGE: its bytes */
    const char *text;  /* TEXT and globals: in the pickle */
    size_t count;      /* TEXT: its length; TUPLE: how many; STORAGE: bytes of an element */
    size_t first;      /* TUPLE: its first in held_ */
    uint32_t depth;
    bool is_shared;    /* it came from the memo: what is put into it now, others do not see the depth of */
};

bool is_text(const item &one, const char *text)
{
    return one.kind == item::TEXT && one.count == std::strlen(text) && std::memcmp(one.text, text, one.count) == 0;
}

int64_t item_bytes_of(const std::string &storage)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } rows[] = {
        { "Byte", 1 },   { "Char", 1 },   { "Bool", 1 },     { "QInt8", 1 },         { "QUInt8", 1 },
        { "Short", 2 },  { "Half", 2 },   { "BFloat16", 2 }, { "UInt16", 2 },        { "QUInt4x2", 1 },
        { "Int", 4 },    { "Float", 4 },  { "UInt32", 4 },   { "QInt32", 4 },        { "QUInt2x4", 1 },
        { "Long", 8 },   { "Double", 8 }, { "UInt64", 8 },   { "ComplexHalf", 4 },   { "ComplexFloat", 8 },
        { "ComplexDouble", 16 },          { "Float8_e5m2", 1 },                      { "Float8_e4m3fn", 1 },
        { "Float8_e5m2fnuz", 1 },         { "Float8_e4m3fnuz", 1 },                  { "Float8_e8m0fnu", 1 },
    };
    for (const auto &row : rows)
        if (storage == std::string("torch\n") + row.name + "Storage")
            return row.bytes;
    return 0;
}

class machine {
public:
    machine(const archive &contents, const std::string &folder, const unsigned char *data, size_t bytes,
            uint64_t stored_bytes)
        : contents_(contents), folder_(folder), at_(data), end_(data + bytes),
          values_most_(values_free + 2 * stored_bytes), steps_most_(steps_free + steps_per_byte * stored_bytes)
    {
    }

    /* Runs to the end; NULL when all is well, else what is wrong. */
    const char *run()
    {
        while (fault_ == nullptr && !is_over_) {
            if (at_ == end_)
                return "ends early";
            step(*at_++);
            if (stack_.size() + held_.size() + memo_.size() > values_most_)
                return "has more values than its size in the file allows";
            if (++steps_ > steps_most_)
                return "has more operations than its size in the file allows";
        }
        return fault_;
    }

private:
    void step(unsigned char operation)
    {
        switch (operation) {
        case 0x80: take(1); break;                                 /* PROTO */
        case '.': is_over_ = true; break;                          /* STOP */
        case '(': marks_.push_back(stack_.size()); break;          /* MARK */
        case 'N': case 0x88: case 0x89: case ']': case '}': push_other(1); break;
        case ')': push_tuple(stack_.size()); break;                /* EMPTY_TUPLE */
        case 'K': push_number(take(1), 1); break;
        case 'M': push_number(take(2), 2); break;
        case 'J': push_number(take(4), 4); break;
        case 0x8a: push_long(); break;
        case 'G': take(8); push_other(1); break;
        case 'X': push_text(little(take(4), 4)); break;
        case 'c': push_global(); break;
        case 'q': memo_[little(take(1), 1)] = top(); break;
        case 'r': memo_[little(take(4), 4)] = top(); break;
        case 'h': push_memo(little(take(1), 1)); break;
        case 'j': push_memo(little(take(4), 4)); break;
        case 't': push_tuple(mark()); break;
        case 0x85: push_tuple(below(1)); break;
        case 0x86: push_tuple(below(2)); break;
        case 0x87: push_tuple(below(3)); break;
        case 'e': case 'u': absorb(mark()); break;                 /* APPENDS, SETITEMS */
        case 'a': absorb(below(1)); break;                         /* APPEND */
        case 's': absorb(below(2)); break;                         /* SETITEM */
        case 'd': gather(mark()); break;                           /* DICT */
        case 0x81: below(2); if (fault_ == nullptr) stack_.pop_back(); break; /* NEWOBJ */
        case 'R': case 'b': call(); break;                         /* REDUCE, BUILD */
        case 'Q': storage(); break;                                /* BINPERSID */
        default: fault_ = "has an operation that no TorchScript file has"; break;
        }
    }

    const unsigned char *take(size_t bytes)
    {
        static const unsigned char nothing[8] = {};
        if (bytes > static_cast<size_t>(end_ - at_)) {
            fault_ = "ends early";
            return nothing;
        }
        at_ += bytes;
        return at_ - bytes;
    }

    static uint64_t little(const unsigned char *bytes, size_t count)
    {
        uint64_t value = 0;
        for (size_t i = count; i-- > 0;)
            value = value << 8 | bytes[i];
        return value;
    }

    item top()
    {
        if (!stack_.empty())
            return stack_.back();
        fault_ = "takes from an empty stack";
        return item();
    }

    /* Where the topmost `count` values begin. */
    size_t below(size_t count)
    {
        if (count <= stack_.size() && (marks_.empty() || marks_.back() <= stack_.size() - count))
            return stack_.size() - count;
        fault_ = "takes from an empty stack";
        return stack_.size();
    }

    size_t mark()
    {
        if (marks_.empty() || marks_.back() > stack_.size()) {
            fault_ = "has no mark where one is needed";
            return stack_.size();
        }
        const size_t place = marks_.back();
        marks_.pop_back();
        return place;
    }

    void push(item one)
    {
        if (one.depth > depth_most)
            fault_ = "is nested too deeply";
        stack_.push_back(one);
    }

    void push_other(uint32_t depth) { push({ item::OTHER, 0, nullptr, 0, 0, depth, false }); }

    void push_number(const unsigned char *bytes, size_t count)
    {
        const uint64_t value = little(bytes, count);
        push({ item::NUMBER, count == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value), nullptr, 0, 0, 1, false });
    }

    void push_long()
    {
        const size_t count = static_cast<size_t>(little(take(1), 1));
        if (count > 8) {
            fault_ = "has a number of more than 64 bits";
            return;
        }
        const unsigned char *bytes = take(count);
        uint64_t value = little(bytes, count);
        if (count > 0 && count < 8 && (bytes[count - 1] & 0x80) != 0)
            value |= ~uint64_t(0) << (8 * count);
        push({ item::NUMBER, static_cast<int64_t>(value), nullptr, 0, 0, 1, false });
    }

    void push_text(uint64_t bytes)
    {
        const unsigned char *text = take(static_cast<size_t>(bytes));
        push({ item::TEXT, 0, reinterpret_cast<const char *>(text), static_cast<size_t>(bytes), 0, 1, false });
    }

    void push_global()
    {
        const unsigned char *start = at_;
        int lines = 0;
        while (at_ != end_ && lines < 2)
            lines += *at_++ == '\n';
        if (lines < 2)
            fault_ = "ends early";
        else if (static_cast<size_t>(at_ - start) > name_bytes_most)
            fault_ = "has a name of more than 1024 bytes";
        else
            push({ item::TEXT, 0, reinterpret_cast<const char *>(start), static_cast<size_t>(at_ - start - 1), 0, 1, false });
    }

    void push_memo(uint64_t key)
    {
        const auto found = memo_.find(key);
        if (found == memo_.end()) {
            fault_ = "takes what it never kept";
            return;
        }
        push(found->second);
        stack_.back().is_shared = true;
    }

    uint32_t deepest(size_t from) const
    {
        uint32_t depth = 0;
        for (size_t i = from; i < stack_.size(); i++)
            depth = stack_[i].depth > depth ? stack_[i].depth : depth;
        return depth;
    }

    void push_tuple(size_t from)
    {
        if (fault_ != nullptr)
            return;
        const item made = { item::TUPLE, 0, nullptr, stack_.size() - from, held_.size(), deepest(from) + 1, false };
        held_.insert(held_.end(), stack_.begin() + static_cast<std::ptrdiff_t>(from), stack_.end());
        stack_.resize(from);
        push(made);
    }

    /* Puts what is above `from` into the value below it. */
    void absorb(size_t from)
    {
        if (fault_ == nullptr && from == 0)
            fault_ = "takes from an empty stack";
        if (fault_ != nullptr)
            return;
        const uint32_t depth = deepest(from) + 1;
        stack_.resize(from);
        item &into = stack_.back();
        if (into.is_shared)
            fault_ = "changes what it has passed on";
        into.depth = depth > into.depth ? depth : into.depth;
        if (into.depth > depth_most)
            fault_ = "is nested too deeply";
    }

    void gather(size_t from)
    {
        if (fault_ != nullptr)
            return;
        const uint32_t depth = deepest(from) + 1;
        stack_.resize(from);
        push_other(depth);
    }

    void call()
    {
        const size_t from = below(2);
        if (fault_ != nullptr)
            return;
        const item function = stack_[from], given = stack_[from + 1];
        if (is_text(function, "torch._utils\n_rebuild_tensor_v2") || is_text(function, "torch._utils\n_rebuild_qtensor"))
            tensor_check(given);
        else if (is_text(function, "torch.jit._pickle\nrestore_type_tag"))
            type_tag_check(given);
        stack_.resize(from);
        push_other((given.depth > function.depth ? given.depth : function.depth) + 1);
    }

    /* (value, type) */
    void type_tag_check(const item &given)
    {
        const item *type = element(given, 1, item::TEXT);
        if (type == nullptr)
            fault_ = "has a type that is no text";
        else
            fault_ = type_check(type->text, type->count) == nullptr ? nullptr : "has a type that is nested too deeply";
    }

    const item *element(const item &tuple, size_t index, int kind) const
    {
        if (tuple.kind != item::TUPLE || index >= tuple.count || held_[tuple.first + index].kind != kind)
            return nullptr;
        return &held_[tuple.first + index];
    }

    /* ('storage', type, key, device, count) */
    void storage()
    {
        const item given = top();
        const item *type = element(given, 1, item::TEXT), *key = element(given, 2, item::TEXT);
        const item *count = element(given, 4, item::NUMBER);
        if (fault_ == nullptr && (type == nullptr || key == nullptr || count == nullptr))
            fault_ = "refers to no storage";
        else if (fault_ == nullptr && (type->count > name_bytes_most || key->count > name_bytes_most))
            fault_ = "has a name of more than 1024 bytes";
        if (fault_ != nullptr)
            return;
        const int64_t each = item_bytes_of(std::string(type->text, type->count));
        const record *found = contents_.find(folder_ + std::string(key->text, key->count));
        int64_t bytes = 0;
        if (each == 0)
            fault_ = "has a tensor of a type unknown here";
        else if (count->number < 0 || __builtin_mul_overflow(count->number, each, &bytes))
            fault_ = "has a tensor larger than any memory";
        else if (bytes > 0 && (found == nullptr || static_cast<uint64_t>(bytes) > found->bytes))
            fault_ = "has a tensor that is larger than its record, or has none";
        stack_.pop_back();
        push({ item::STORAGE, bytes, nullptr, static_cast<size_t>(each), 0, 1, false });
    }

    /* (storage, offset, shape, strides, …) */
    void tensor_check(const item &given)
    {
        const item *where = element(given, 0, item::STORAGE), *offset = element(given, 1, item::NUMBER);
        const item *shape = element(given, 2, item::TUPLE), *steps = element(given, 3, item::TUPLE);
        if (where == nullptr || offset == nullptr || shape == nullptr || steps == nullptr ||
            shape->count != steps->count || shape->count > rank_most || offset->number < 0) {
            fault_ = "has a malformed tensor";
            return;
        }
        int64_t lengths[rank_most], strides[rank_most], bytes, start;
        for (size_t i = 0; i < shape->count; i++) {
            const item *length = element(*shape, i, item::NUMBER), *step = element(*steps, i, item::NUMBER);
            if (length == nullptr || step == nullptr || length->number < 0 || step->number < 0) {
                fault_ = "has a malformed tensor";
                return;
            }
            lengths[i] = length->number;
            strides[i] = step->number;
        }
        const int64_t each = static_cast<int64_t>(where->count);
        if (!tensor_extent(lengths, strides, shape->count, each, &bytes) ||
            __builtin_mul_overflow(offset->number, each, &start) || start > where->number ||
            bytes > where->number - start)
            fault_ = "has a tensor that reaches beyond its storage";
    }

    const archive &contents_;
    const std::string &folder_;
    const unsigned char *at_, *const end_;
    const uint64_t values_most_, steps_most_;
    uint64_t steps_ = 0;
    bool is_over_ = false;
    const char *fault_ = nullptr;
    std::vector<item> stack_, held_; /* held_: the elements of all tuples */
    std::vector<size_t> marks_;
    std::unordered_map<uint64_t, item> memo_;
};

} // namespace

prof_status pickle_check(const archive &contents, const char *name, const void *data, size_t data_bytes,
                         const task &doing, prof_error *err)
{
    const record *here = contents.find(name);
    const std::string folder = std::string(name).substr(0, std::string(name).rfind('.')) + "/";
    machine judge(contents, folder, static_cast<const unsigned char *>(data), data_bytes,
                  here != nullptr ? here->stored_bytes : 0);
    const char *fault = judge.run();
    return fault == nullptr ? PROF_OK : fail(err, PROF_E_FORMAT, doing, "its record '%.80s' %s", name, fault);
}

} // namespace profi_torch

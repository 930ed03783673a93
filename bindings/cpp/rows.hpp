/* SPDX-License-Identifier: Apache-2.0 */
/* Part of profcore.hpp: the rows of results, which snapshot.hpp and timeline.hpp give out. */
#ifndef PROFCORE_ROWS_HPP
#define PROFCORE_ROWS_HPP

#include <profcore/scope.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace profcore {

/*
 * Rows of a result, by index or by `for`.  Valid as long as what they are of.
 *
 *   Table    says what they are: the types `source`, `row` and `index`; how
 *            many the source has, count(); and read() for one.  Both get
 *            `within`, the number of the row to which all belong.
 */
template <typename Table> class rows {
public:
    typedef typename Table::source source;
    typedef typename Table::row row;
    typedef typename Table::index index;

    class iterator {
    public:
        typedef std::input_iterator_tag iterator_category;
        typedef row value_type;
        typedef std::ptrdiff_t difference_type;
        typedef const row *pointer;
        typedef row reference;

        iterator(const source *of, index within, index at) noexcept : of_(of), within_(within), at_(at) {}
        row operator*() const noexcept
        {
            row read;
            Table::read(of_, within_, at_, read);
            return read;
        }
        iterator &operator++() noexcept { return ++at_, *this; }
        iterator operator++(int) noexcept
        {
            const iterator before(*this);
            ++at_;
            return before;
        }
        friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.at_ == b.at_; }
        friend bool operator!=(const iterator &a, const iterator &b) noexcept { return a.at_ != b.at_; }

    private:
        const source *of_;
        index within_, at_;
    };

    explicit rows(const source *of, index within = 0) noexcept : of_(of), within_(within) {}

    index size() const noexcept { return Table::count(of_, within_); }
    bool empty() const noexcept { return size() == 0; }
    iterator begin() const noexcept { return iterator(of_, within_, 0); }
    iterator end() const noexcept { return iterator(of_, within_, size()); }

    /* Beyond the last: a row of zeros with an empty name. */
    row operator[](index at) const noexcept { return *iterator(of_, within_, at); }

private:
    const source *of_;
    index within_;
};

namespace detail {

/* Takes a file's bytes into a std::string.  Called from C, which no exception may pass. */
inline int append(void *into, const void *data, std::size_t bytes) noexcept
{
    std::string &text = *static_cast<std::string *>(into);
#if PROF_CPP_THROWS_
    try {
        text.append(static_cast<const char *>(data), bytes);
    } catch (...) {
        enum { no_memory = 12 }; /* ENOMEM */
        return no_memory;
    }
#else
    text.append(static_cast<const char *>(data), bytes);
#endif
    return 0;
}

} // namespace detail

} // namespace profcore

#endif

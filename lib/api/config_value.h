/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What prof_options and the variables both set.  Each function checks, and
 * changes nothing where it fails; the message does not say which option or
 * variable it was.
 */
#ifndef PROFI_CONFIG_VALUE_H
#define PROFI_CONFIG_VALUE_H

#include "config.h"

prof_status profi_config_set_name(profi_config *config, const char *value, prof_error *err); /* "": it stays */
prof_status profi_config_set_directory(profi_config *config, const char *value, prof_error *err);
prof_status profi_config_set_formats(profi_config *config, const char *value, prof_error *err);
prof_status profi_config_set_sort(profi_config *config, const char *value, prof_error *err);
prof_status profi_config_set_stream(profi_config *config, const char *value, prof_error *err); /* "": it stays */
prof_status profi_config_set_save_if(profi_config *config, const char *value, prof_error *err);
prof_status profi_config_set_slow(profi_config *config, const char *value, prof_error *err);
prof_status profi_config_set_memory(profi_config *config, uint64_t bytes, prof_error *err);
prof_status profi_config_set_rss_every(profi_config *config, uint64_t ms, prof_error *err);
prof_status profi_config_set_utilization_every(profi_config *config, uint64_t ms, prof_error *err);
prof_status profi_config_set_when_full(profi_config *config, uint32_t when_full, prof_error *err);

#endif

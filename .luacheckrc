-- What a script may use in Redis 6.2 and later: no os, io, require or print.
-- Source: https://redis.io/docs/latest/develop/programmability/lua-api/
stds.redis = {
  globals = {},
  read_globals = {
    'KEYS', 'ARGV',
    redis = {
      fields = {
        'call', 'pcall', 'error_reply', 'status_reply', 'sha1hex', 'log', 'setresp', 'breakpoint', 'debug',
        'LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING',
      },
    },
    cjson = { fields = { 'encode', 'decode', 'null', 'encode_keep_buffer', 'encode_max_depth', 'decode_array_with_array_mt' } },
    cmsgpack = { fields = { 'pack', 'unpack' } },
    struct = { fields = { 'pack', 'unpack', 'size' } },
    bit = {
      fields = {
        'tobit', 'tohex', 'bnot', 'bor', 'band', 'bxor', 'lshift', 'rshift', 'arshift', 'rol', 'ror', 'bswap',
      },
    },
    os = { fields = { 'clock' } },
    string = {
      fields = {
        'byte', 'char', 'find', 'format', 'gmatch', 'gsub', 'len', 'lower', 'match', 'rep', 'reverse', 'sub', 'upper',
      },
    },
    table = { fields = { 'concat', 'insert', 'maxn', 'remove', 'sort' } },
    math = {
      fields = {
        'abs', 'ceil', 'exp', 'floor', 'fmod', 'huge', 'log', 'log10', 'max', 'min', 'modf', 'pi', 'pow', 'sqrt',
      },
    },
    'assert', 'error', 'getmetatable', 'ipairs', 'next', 'pairs', 'pcall', 'rawequal', 'rawget', 'rawset', 'select',
    'setmetatable', 'tonumber', 'tostring', 'type', 'unpack', 'xpcall',
  },
}
std = 'redis'
max_line_length = 128

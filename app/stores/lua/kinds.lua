-- The kinds of account that scripts treat apart. A kind is an opaque name without a colon; `Scripts` puts the
-- gateway's own sets in place of these.
local SIMULATED_KINDS = {} -- serve only while no other account is in use, and take part in no comparison
local UNENFORCED_KINDS = {} -- may bill more output than a request names
local UNLISTED_KINDS = {} -- list other names than requests use, such as models of deployments

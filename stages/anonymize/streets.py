"""The words that street addresses are made of, as alternatives of a pattern."""

from __future__ import annotations

#: Endings of street names (USPS, Publication 28) that hardly mean anything else.
STREETS = (
    "street|str|st|road|rd|avenue|ave|av|lane|ln|drive|dr|court|ct|boulevard|blvd|terrace|ter|highway|hwy|"
    "parkway|pkwy|crescent|cres|turnpike|expressway|freeway|mews|marg|nagar|chowk|zila|ganj"
)

#: Endings of street names (the same source) that are everyday words too.
PLACES = (
    "alley|annex|arcade|bayou|beach|bend|bluffs?|bottom|branch|bridge|brooks?|burgs?|bypass|camp|canyon|cape|"
    "causeway|centers?|circles?|cir|cliffs?|close|club|common|corners?|course|courts|coves?|creek|crest|crossing|"
    "crossroads?|curve|dale|dam|divide|drives|estates?|extensions?|falls?|ferry|fields?|flats?|fords?|forest|"
    "forges?|forks?|fort|gardens?|gateway|glens?|greens?|groves?|harbors?|haven|heights|hills?|hollow|inlet|"
    "islands?|isle|junctions?|keys?|knolls?|lakes?|land|landing|lights?|loaf|locks?|lodge|loop|mall|manors?|"
    "meadows?|mills?|mission|motorway|mount|mountains?|neck|orchard|oval|overpass|parks?|parkways|pass|passage|"
    "path|pike|pines?|place|pl|plains?|plaza|points?|ports?|prairie|radial|ramp|ranch|rapids?|rest|ridges?|river|"
    "roads|route|row|rue|run|shoals?|shores?|skyway|springs?|spurs?|squares?|sq|station|stravenue|stream|streets|"
    "summit|throughway|trace|track|trafficway|trail|trl|tunnel|underpass|unions?|valleys?|via|viaduct|views?|"
    "villages?|ville|vistas?|walks?|wall|ways?|wells?"
)

#: Words in front of the name of a street: French, Spanish, Italian, Portuguese, Polish.
PREFIXES = (
    "rue|avenue|av|boulevard|bd|chemin|impasse|allee|quai|"
    "calle|c/|avenida|avda?|paseo|pasaje|ronda|camino|canada|glorieta|cuesta|rambla|acceso|alameda|callejon|"
    "urbanizacion|andador|continuacion|calzada|cerrada|circuito|corredor|diagonal|eje|peatonal|periferico|"
    "privada|prolongacion|retorno|viaducto|"
    "viale|vicolo|piazza|piazzetta|corso|largo|strada|contrada|borgo|canale|incrocio|rotonda|stretto|"
    "rua|travessa|praca|estrada|rodovia|passarela|nucleo|morro|lagoa|ladeira|jardim|fazenda|favela|esplanada|"
    "condominio|conjunto|colonia|chacara|campo|aeroporto|distrito|feira|loteamento|parque|patio|quadra|recanto|"
    "residencial|sitio|setor|trecho|trevo|vereda|viela|via|vila|"
    "ul|aleja|aleje|plac|pl|al|os"
)

#: Endings of street names written as one word: German, Dutch, Swedish, Danish, Norwegian.
SUFFIXES = (
    "straße|strasse|str|weg|allee|platz|gasse|damm|ufer|"
    "straat|laan|plein|steeg|dreef|kade|gracht|singel|dijk|baan|"
    "gatan|vagen|grand|stigen|torget|granden|gade|vej"
)

#: Words behind the name of a street: Turkish.
TURKISH = "mah|sok|sk|cad|cd|sokak|sokagi|caddesi|mahallesi|bulvari|blv"

#: Parts of a house.
UNITS = (
    "apt|apartment|suite|ste|unit|flat|room|floor|fl|box|lot|"
    "edif|depto|interior|int|piso|puerta|bloque|esc|apto|lok|m|scala|appartamento|interno|lgh|bus|piano"
)

#: No part of the name of a street, though a number stands before it: "a 5 minute drive", "9 seemed way harder".
NO_STREETS = (
    "hours?|hrs?|min|mins|minutes?|miles?|km|days?|weeks?|months?|years?|yrs?|seconds?|secs?|foot|feet|ft|more|"
    "other|people|times|percent|of|to|be|a|an|in|on|the|is|was|were|and|i|you|it|that|this|my|your|for|not|so|or|"
    "but|are|have|had|seemed|with|different|big|small|am|pm|if|at|we|he|she|they|like|just|good|great"
)

#: Behind these an address follows.
CUES = (
    "live at|living at|lives at|staying at|address(?: is|[’']s|:| =)|addr:?|ship (?:it )?to|deliver (?:it )?to|"
    r"send (?:it|them|stuff|that|the \w+) to|mail (?:it )?to|moved to|located at|pick me up (?:at|from)|"
    "drop (?:it|me) (?:off )?at"
)

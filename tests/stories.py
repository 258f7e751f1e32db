"""Articles that several tests tell."""

HARBOUR = """---
title: Harbour reopens
date: 2025-03-01
language: en
source: Test Gazette
---
The harbour of Lindmouth reopened on Saturday after a storm had closed it for nine days.

Harbour master Greta Olvers said that forty ships had waited outside the breakwater for a pilot.
"""

# Two articles as files, for what needs an archive of a few lines in two languages.
DEMOLITION = """\
---
title: Harbour crane comes down
source: The Quay Courier
date: 2025-03-04
language: en
---
The old harbour crane of Ostmark will be taken down in May. “We kept it for sixty years, and it no longer carries its
own weight,” said harbour master Lena Vosskamp. The steel goes to a foundry in the north.

The city council had asked for a second opinion on the crane. Engineers found cracks in eleven of its beams.
"""
BAKERY = """\
---
title: Bakkerij sluit na een eeuw
source: De Sluiswachter
date: 2025-09-12
language: nl
---
Bakkerij Terhorst sluit op 1 oktober de deuren. “De oven is op en ik ben het ook,” zei bakker Joris Terhorst. Zijn
kleindochter neemt de winkel niet over.
"""

# For the group "legal" alone.
CONTRACT = """---
title: The ferry contract
date: 2025-04-02
language: en
source: Test Gazette
groups: [legal]
---
The contract with the ferry company costs the town of Lindmouth forty thousand crowns a year, said clerk Odile Branth.

It runs for six years, and either side may end it after three.
"""

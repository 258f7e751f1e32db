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

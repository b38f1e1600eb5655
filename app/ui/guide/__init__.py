"""The guide of the first start: four short pages."""

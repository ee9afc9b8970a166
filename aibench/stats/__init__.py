"""Estimators and histograms; no clock, file or process in here."""

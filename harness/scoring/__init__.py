"""Measures of stored clips, one by one and as sets, and the instruments behind them."""

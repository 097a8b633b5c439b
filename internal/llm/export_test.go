package llm

// CostOf returns the price of a model.
func CostOf(m Model) *Price { return m.cost() }

"""Cases (数字城管案件): from a report to the closing, with deadlines, evidence and rates."""

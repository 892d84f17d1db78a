/// Half the distance from 1 to the next Float: the relative error of one rounding.
package let unitRoundoff = 0x1p-24

/// The relative error of n roundings in a row: n u / (1 - n u) (Higham, "Accuracy and Stability of Numerical Algorithms", lemma 3.1).
/// Any order of summing n terms obeys |error| <= gamma(n - 1) * sum of |terms|.
package func gamma(_ n: Int) -> Double { Double(n) * unitRoundoff / (1 - Double(n) * unitRoundoff) }

namespace Cube.Attestation.Parsing;

/// <summary>Rejects Evidence or a vendor document during an Appraisal. The Verifier turns it into a verdict; it never leaves this assembly.</summary>
/// <param name="code">A stable code of <see cref="Codes"/>.</param>
/// <param name="detail">A human-readable sentence that contains no part of the Evidence.</param>
/// <param name="indeterminate">True if an input of the Appraisal is missing, rather than the Evidence being wrong.</param>
#pragma warning disable CA1032, CA1064 // Internal on purpose: code outside this assembly must not catch it.
internal sealed class AppraisalException(string code, string detail, bool indeterminate = false) : Exception(detail)
#pragma warning restore CA1032, CA1064
{
    public string Code { get; } = code;

    public bool Indeterminate { get; } = indeterminate;

    /// <exception cref="AppraisalException">The condition does not hold.</exception>
    public static void ThrowUnless(bool condition, string code, string detail)
    {
        if (!condition)
        {
            throw new AppraisalException(code, detail);
        }
    }
}

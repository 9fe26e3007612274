namespace Cube.Attestation.Parsing;

/// <summary>Why evidence is refused. It ends the verification and becomes a verdict; it never leaves this assembly.</summary>
/// <param name="code">A stable code of <see cref="Codes"/>.</param>
/// <param name="detail">One sentence for a person, without any part of the evidence.</param>
/// <param name="indeterminate">Nothing is wrong with the evidence, but something needed to judge it is missing.</param>
#pragma warning disable CA1032, CA1064 // Internal by intent: nobody outside may catch it.
internal sealed class Refusal(string code, string detail, bool indeterminate = false) : Exception(detail)
#pragma warning restore CA1032, CA1064
{
    public string Code { get; } = code;

    public bool Indeterminate { get; } = indeterminate;

    /// <exception cref="Refusal">The condition does not hold.</exception>
    public static void Unless(bool condition, string code, string detail)
    {
        if (!condition)
        {
            throw new Refusal(code, detail);
        }
    }
}

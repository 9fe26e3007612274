namespace Cube.Attestation.Atls;

/// <summary>A connection to a machine was refused, or has lost its attestation. Derives from <see cref="IOException"/> so that HTTP treats it as what it is: a broken connection.</summary>
public sealed class AttestationException : IOException
{
    public AttestationException()
    {
    }

    public AttestationException(string message)
        : base(message)
    {
    }

    public AttestationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public AttestationException(string code, string message, Verdict? verdict = null)
        : base(message) => (Code, Verdict) = (code, verdict);

    /// <summary>One of <see cref="Codes"/>.</summary>
    public string Code { get; } = Codes.Internal;

    /// <summary>The judgement, where the evidence could be read at all.</summary>
    public Verdict? Verdict { get; }

    /// <returns>The refusal that lies in <paramref name="exception"/> or below it, or null.</returns>
    public static AttestationException? Find(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is AttestationException found)
            {
                return found;
            }

            if (exception is AggregateException several && several.InnerExceptions.Select(Find).FirstOrDefault(static inner => inner is not null) is { } inner)
            {
                return inner;
            }
        }

        return null;
    }
}

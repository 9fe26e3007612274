using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Atls;

/// <summary>An attested connection was rejected or has lost its attestation. Derives from <see cref="IOException"/>, so that HTTP handles it as a broken connection.</summary>
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

    /// <summary>The verdict; null if no Evidence was received.</summary>
    public Verdict? Verdict { get; }

    /// <returns>The first exception of this type in <paramref name="exception"/> and its inner exceptions, or null.</returns>
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

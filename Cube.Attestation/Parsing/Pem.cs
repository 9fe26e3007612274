using System.Security.Cryptography;

namespace Cube.Attestation.Parsing;

/// <summary>
/// Parses PEM certificates: complete blocks of canonical base64, separated by white space only.
/// Other text is an error, because parsers differ in what they skip.
/// </summary>
internal static class Pem
{
    private const string Label = "CERTIFICATE";

    /// <param name="text">ASCII. One trailing NUL is allowed, because Intel's quotes contain it.</param>
    /// <param name="maxCount">Maximum number of certificates.</param>
    /// <exception cref="AppraisalException">Code <see cref="Codes.Pem"/>.</exception>
    public static List<byte[]> Certificates(ReadOnlySpan<byte> text, int maxCount)
    {
        var chars = new char[text.Length];
        for (var i = 0; i < chars.Length; i++)
        {
            chars[i] = text[i] < 0x80 ? (char)text[i] : throw new AppraisalException(Codes.Pem, "The PEM text is not ASCII.");
        }

        ReadOnlySpan<char> rest = chars;
        if (rest is [.., '\0'])
        {
            rest = rest[..^1];
        }

        var certificates = new List<byte[]>();
        while (!rest.Trim(" \r\n").IsEmpty)
        {
            if (certificates.Count == maxCount || !PemEncoding.TryFind(rest, out var fields)
                || !rest[fields.Label].SequenceEqual(Label) || !rest[..fields.Location.Start].Trim(" \r\n").IsEmpty)
            {
                throw new AppraisalException(Codes.Pem, $"The PEM text must contain at most {maxCount} certificates and nothing else.");
            }

            certificates.Add(Decode(rest[fields.Base64Data], fields.DecodedDataLength));
            rest = rest[fields.Location.End..];
        }

        return certificates;
    }

    private static byte[] Decode(ReadOnlySpan<char> base64, int length)
    {
        var compact = new char[base64.Length];
        var count = 0;
        foreach (var c in base64)
        {
            if (c is '\r' or '\n')
            {
                continue;
            }

            compact[count++] = char.IsWhiteSpace(c) ? throw new AppraisalException(Codes.Pem, "The PEM text has white space inside its base64.") : c;
        }

        var bytes = new byte[length];
        // Re-encoding detects base64 that is not canonical.
        return Convert.TryFromBase64Chars(compact.AsSpan(0, count), bytes, out var written) && written == length
            && Convert.ToBase64String(bytes).AsSpan().SequenceEqual(compact.AsSpan(0, count))
                ? bytes
                : throw new AppraisalException(Codes.Pem, "The PEM text is not canonical base64.");
    }
}

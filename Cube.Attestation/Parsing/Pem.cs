using System.Security.Cryptography;

namespace Cube.Attestation.Parsing;

/// <summary>
/// PEM certificates: whole blocks of canonical base64, white space between them and nothing else. A text that a lenient reader would
/// skip could hide a certificate from one reader and show it to another.
/// </summary>
internal static class Pem
{
    private const string Label = "CERTIFICATE";

    /// <param name="text">ASCII; one NUL at its end is allowed, Intel's quotes have it.</param>
    /// <param name="most">No more certificates than this.</param>
    /// <exception cref="Refusal">Code <see cref="Codes.Pem"/>.</exception>
    public static List<byte[]> Certificates(ReadOnlySpan<byte> text, int most)
    {
        var chars = new char[text.Length];
        for (var i = 0; i < chars.Length; i++)
        {
            chars[i] = text[i] < 0x80 ? (char)text[i] : throw new Refusal(Codes.Pem, "The PEM text is not ASCII.");
        }

        ReadOnlySpan<char> rest = chars;
        if (rest is [.., '\0'])
        {
            rest = rest[..^1];
        }

        var certificates = new List<byte[]>();
        while (!rest.Trim(" \r\n").IsEmpty)
        {
            if (certificates.Count == most || !PemEncoding.TryFind(rest, out var fields)
                || !rest[fields.Label].SequenceEqual(Label) || !rest[..fields.Location.Start].Trim(" \r\n").IsEmpty)
            {
                throw new Refusal(Codes.Pem, $"The PEM text is not at most {most} certificates and nothing else.");
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

            compact[count++] = char.IsWhiteSpace(c) ? throw new Refusal(Codes.Pem, "The PEM text has white space inside its base64.") : c;
        }

        var bytes = new byte[length];
        // Encoded again and compared: of several spellings of the same bytes only the canonical one passes.
        return Convert.TryFromBase64Chars(compact.AsSpan(0, count), bytes, out var written) && written == length
            && Convert.ToBase64String(bytes).AsSpan().SequenceEqual(compact.AsSpan(0, count))
                ? bytes
                : throw new Refusal(Codes.Pem, "The PEM text is not canonical base64.");
    }
}

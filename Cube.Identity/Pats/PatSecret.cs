using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Cube.Identity.Pats;

/// <summary>The secret of a personal access token. It has 256 random bits, so an unsalted SHA-256 hash is stored.</summary>
internal static class PatSecret
{
    public const string Prefix = "pat_";

    public static string Generate() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Cube.Identity.Pats;

/// <summary>The secret of a personal access token: 256 random bits, which no guess finds, so that the plain hash of it is kept.</summary>
internal static class PatSecret
{
    public const string Prefix = "pat_";

    public static string Generate() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}

using System.Security.Cryptography;
using System.Text;

namespace Cube.Authorization.Engine;

/// <summary>The stores that the embedded engine serves, each opened by its own key.</summary>
internal sealed class EngineStores(IReadOnlyList<(string Key, EmbeddedEngine Engine)> stores)
{
    /// <summary>The store that Cube itself uses.</summary>
    public const short Own = 0;

    /// <summary>A store for trying the engine out. Identity clears it at every start.</summary>
    public const short Trial = 1;

    /// <returns>The store that the key opens, or null. Keys are compared in constant time.</returns>
    public EmbeddedEngine? Find(string key)
    {
        var hash = Hash(key);
        return stores.FirstOrDefault(store => CryptographicOperations.FixedTimeEquals(Hash(store.Key), hash)).Engine;
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

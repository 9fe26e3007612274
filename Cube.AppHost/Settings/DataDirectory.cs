using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Cube.AppHost.Settings;

/// <summary>The data directory of one running Cube, locked while it runs: certificates, generated secrets, the database, <c>ready.json</c>.</summary>
internal sealed class DataDirectory : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerDirectory = OwnerOnly | UnixFileMode.UserExecute;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly FileStream _lock;
    private readonly Dictionary<string, string> _secrets;

    private DataDirectory(string path, FileStream @lock)
    {
        (Path, _lock) = (path, @lock);
        _secrets = File.Exists(SecretsFile) ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(SecretsFile)) ?? [] : [];
    }

    public string Path { get; }

    public string ReadyFile => this["ready.json"];

    /// <summary>
    /// A stable, random id for resources outside this directory, such as volumes. It is stored with the
    /// secrets, so that a deleted directory also leads to new volumes rather than old ones with a lost password.
    /// </summary>
    public string Id => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Secret("id", out _))))[..16];

    private string SecretsFile => this["secrets.json"];

    public string this[string file] => System.IO.Path.Combine(Path, file);

    /// <exception cref="StartupException">The directory cannot be written, or another Cube uses it.</exception>
    public static DataDirectory Open(string path)
    {
        try
        {
            if (!Directory.Exists(path))
            {
                if (OperatingSystem.IsWindows())
                {
                    Directory.CreateDirectory(path);
                }
                else
                {
                    // If the AppHost runs as root, PostgreSQL runs as another user, which must be able to traverse this directory.
                    Directory.CreateDirectory(path, Environment.IsPrivilegedProcess
                        ? OwnerDirectory | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute
                        : OwnerDirectory);
                }
            }

            // Take the lock first: files in the directory may belong to a running Cube.
            var held = Open(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate);
            try
            {
                File.Delete(System.IO.Path.Combine(path, "ready.json"));
                return new DataDirectory(path, held);
            }
            catch (JsonException)
            {
                held.Dispose();
                throw new StartupException($"{System.IO.Path.Combine(path, "secrets.json")} is not valid JSON.");
            }
        }
        catch (UnauthorizedAccessException)
        {
            throw new StartupException($"The data directory {path} cannot be written; choose another with CUBE_DATA.");
        }
        catch (IOException exception) when (IsLocked(exception))
        {
            throw new StartupException($"The data directory {path} is used by another Cube; choose another with CUBE_DATA.");
        }
        catch (IOException exception)
        {
            throw new StartupException($"The data directory {path} cannot be used: {exception.Message}");
        }
    }

    /// <summary>Returns a secret; generates and stores it on first use.</summary>
    public string Secret(string name, out bool isNew)
    {
        isNew = !_secrets.TryGetValue(name, out var secret);
        if (isNew)
        {
            secret = RandomNumberGenerator.GetString("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 24);
            _secrets[name] = secret;
            Write("secrets.json", JsonSerializer.Serialize(_secrets, Indented));
        }

        return secret!;
    }

    /// <summary>Writes a file atomically, readable by its owner only.</summary>
    public void Write(string file, string content)
    {
        var path = this[file];
        using (var stream = Open(path + ".new", FileMode.Create))
        {
            stream.Write(Encoding.UTF8.GetBytes(content));
            stream.Flush(flushToDisk: true);
        }

        File.Move(path + ".new", path, overwrite: true);
    }

    private static FileStream Open(string path, FileMode mode)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        return new FileStream(path, options);
    }

    /// <summary>EWOULDBLOCK of Linux and macOS, or the sharing violation of Windows.</summary>
    private static bool IsLocked(IOException exception) => (exception.HResult & 0xFFFF) is 11 or 35 or 32;

    public void Dispose()
    {
        File.Delete(ReadyFile);
        _lock.Dispose();
    }
}

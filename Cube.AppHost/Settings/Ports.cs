using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Cube.AppHost.Settings;

/// <summary>The ports of the services. A configured 0 is replaced by a free port.</summary>
internal sealed record Ports(int Http, int Https, int Identity, int Agent, int Dashboard, int Otlp, int ResourceService)
{
    public static Ports Choose(bool allFree, Func<string, int?> setting)
    {
        var taken = new HashSet<int>();
        return new Ports(
            Choose("CUBE_HTTP_PORT", 8080),
            Choose("CUBE_HTTPS_PORT", 8443),
            Choose("CUBE_IDENTITY_PORT", 9002),
            Choose("CUBE_AGENT_PORT", 7001),
            allFree ? Next() : 15888,
            Next(),
            Next());

        int Choose(string name, int usual) => (setting(name) ?? (allFree ? 0 : usual)) is > 0 and var port ? port : Next();

        // The system may return the same free port twice.
        int Next()
        {
            var port = Free();
            return taken.Add(port) ? port : Next();
        }
    }

    /// <exception cref="StartupException">Another process listens on a port.</exception>
    public void RequireFree(string bind, bool dashboard)
    {
        var proxy = IPAddress.TryParse(bind, out var address) ? address : IPAddress.Loopback;
        Require(proxy, Http, "CUBE_HTTP_PORT");
        Require(proxy, Https, "CUBE_HTTPS_PORT");
        Require(IPAddress.Loopback, Identity, "CUBE_IDENTITY_PORT");
        Require(IPAddress.Loopback, Agent, "CUBE_AGENT_PORT");
        if (dashboard)
        {
            Require(IPAddress.Loopback, Dashboard, "CUBE_PORTS=0 or CUBE_DASHBOARD=false");
        }
    }

    private static void Require(IPAddress address, int port, string setting)
    {
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen(1);
        }
        catch (SocketException exception)
        {
            throw new StartupException(exception.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? $"Port {port} is in use; choose another with {setting}."
                : $"Port {port} cannot be opened ({exception.SocketErrorCode}); choose another with {setting}.");
        }
    }

    /// <summary>Returns a free port on loopback, below the ports that systems use for outgoing connections: another process could otherwise take it before it is used.</summary>
    public static int Free()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(10_240, 32_768);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                // In use, or reserved by Windows.
            }
        }
    }
}

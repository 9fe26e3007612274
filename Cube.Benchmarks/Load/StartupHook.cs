using System.Buffers.Binary;
using System.Net.Sockets;

/// <summary>
/// Runs in each measured process (<c>DOTNET_STARTUP_HOOKS</c>) and reports the bytes that the process has allocated, the pauses of its garbage collector and the number of its collections. The name and the missing namespace are required by .NET.
/// </summary>
internal static class StartupHook
{
    public const string SocketVariable = "CUBE_LOAD_SOCKET";

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(SocketVariable) is not { } path)
        {
            return;
        }

        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        new Thread(() => Serve(listener)) { IsBackground = true, Name = "load probe" }.Start();
    }

    private static void Serve(Socket listener)
    {
        Span<byte> answer = stackalloc byte[24];
        while (true)
        {
            using var client = listener.Accept();
            BinaryPrimitives.WriteInt64LittleEndian(answer, GC.GetTotalAllocatedBytes(precise: false));
            BinaryPrimitives.WriteInt64LittleEndian(answer[8..], GC.GetTotalPauseDuration().Ticks);
            BinaryPrimitives.WriteInt64LittleEndian(answer[16..], GC.CollectionCount(0));
            client.Send(answer);
        }
    }
}
